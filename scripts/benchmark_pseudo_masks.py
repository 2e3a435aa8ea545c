"""What rules for the background's threshold are worth, and what void bands buy: all is `oracle`.

Usage:
    python scripts/benchmark_pseudo_masks.py --localize runs/localize/<fingerprint> --data my_images
    python scripts/benchmark_pseudo_masks.py --localize runs/localize/<fingerprint> --sxy 40

From finished seeds of the training images, pseudo masks by every rule, and by fixed thresholds, the
best of which is the oracle's. Masks are opened to score; no rule sees them. Without --data it is
the embedded data set. mIoU has its 95 % interval over the images (`miou_low`, `miou_high`). One
process, one thread; writes JSON.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.progress import track

from wsss.artifacts import SeedStore, write_json
from wsss.data.source import TRAIN
from wsss.data.sources.folder.folder import Folder
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.metrics.bootstrap import interval, resampled
from wsss.metrics.confusion import confusion_matrix, coverage, mean_iou, void_as_background
from wsss.metrics.overlaps import mean_iou_of_overlaps, overlaps
from wsss.pipeline.versions import commit
from wsss.refine import LevelBackground, NumbaEngine, Otsu, OtsuMean, PowerBackground
from wsss.refine.dense_crf.unaries import energies_from_softmax
from wsss.refine.pseudo_label import agreed, label_mask, threshold_mask, upsample
from wsss.refine.regions import restore_vanished_tags, void_small_regions
from wsss.refine.thresholds import NUM_LEVELS, count_levels

BACKGROUNDS = {"level": LevelBackground(), "power": PowerBackground()}
RULES = {"otsu": Otsu(), "otsu_mean": OtsuMean()}
FACTORS = (1.1, 1.25, 1.5)
CONFIDENCES = (0.6, 0.9, 0.99, 0.999)
MIN_REGIONS_PX = (50, 200)

Named = Iterator[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Case:
    """An image with its maps at full size."""

    image: np.ndarray
    maps: np.ndarray
    labels: np.ndarray


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("--localize", type=Path, required=True, help="the folder of a finished stage `localize`")
    add("--data", type=Path, help="a folder data set (the embedded one)")
    add("--every", type=int, default=1, help="take every n-th image")
    add("--offset", type=int, default=0, help="beginning with this one")
    add("--sxy", type=float, default=50, help="pixels of the CRF's colour kernel")
    add("--thresholds", type=float, nargs="+", default=[t / 20 for t in range(2, 15)])
    add("--output", type=Path, default=Path("runs/benchmark_pseudo_masks.json"))
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    source = Folder(arguments.data) if arguments.data else Synthetic()
    seeds = SeedStore(arguments.localize / "seeds")
    items = source.items(TRAIN)
    engine = NumbaEngine(bilateral_sxy_px=arguments.sxy, bilateral_srgb=5)
    counts = np.zeros(NUM_LEVELS, dtype=np.int64)
    for item in items:
        counts += count_levels(seeds.read(item).maps)
    pooled = {f"pooled {name}": rule.of_counts(counts) for name, rule in RULES.items()}
    totals: dict[str, np.ndarray] = {}
    by_image: dict[str, list[np.ndarray]] = {}
    chosen = items[arguments.offset :: arguments.every]
    for item in track(chosen):
        stored, image, target = seeds.read(item), source.read_image(item), source.read_mask(item)
        if target is None:
            continue
        case = Case(image, upsample(stored.maps, image.shape[:2]), stored.labels)
        for name, mask in masks_of(case, engine, tuple(arguments.thresholds), pooled):
            matrix = confusion_matrix(mask, target, len(source.class_names))
            totals[name] = totals.get(name, 0) + matrix
            by_image.setdefault(name, []).append(overlaps(matrix))
    scores = {
        name: score(matrix) | miou_interval(np.stack(by_image[name]))
        for name, matrix in totals.items()
    }
    result = {
        "oracle": True,
        "source": source.name,
        "images": len(chosen),
        "arguments": {key: str(value) for key, value in vars(arguments).items()},
        "commit": commit(),
        "date": datetime.now().astimezone().isoformat(timespec="minutes"),
        "pooled_thresholds": pooled,
        "scores": scores,
    }
    write_json(arguments.output, result)
    for name, row in scores.items():
        print(f"{name:32s}", *(f"{key} {value:.4f}" for key, value in row.items()))


def miou_interval(every: np.ndarray) -> dict[str, float]:
    """The 95 % interval of the mIoU, from the overlaps [n, c, 3] of images; all rows draw the same.

    Differences of rows are known better than these intervals tell: images are shared.
    """
    shape = every.shape[1:]

    def mious(sums: np.ndarray) -> np.ndarray:
        return mean_iou_of_overlaps(sums.reshape(-1, *shape))

    low, high = interval(resampled(every.reshape(len(every), -1), mious))
    return {"miou_low": float(low), "miou_high": float(high)}


def masks_of(
    case: Case, engine: NumbaEngine, fixed: tuple[float, ...], pooled: dict[str, float]
) -> Named:
    """Every mask of an image with its name; its CRF's lattices are built once."""
    rules = {name: rule(case.maps) for name, rule in RULES.items()} | pooled
    thresholds = {
        f"{name} {rule}": (background, threshold)
        for name, background in BACKGROUNDS.items()
        for rule, threshold in (rules | {f"= {value}": value for value in fixed}).items()
    }
    default = rules["otsu_mean"]
    for factor in FACTORS:
        for side, threshold in (("low", default / factor), ("high", default * factor)):
            thresholds[f"{side} {factor}"] = (BACKGROUNDS["level"], min(threshold, 0.95))
    posteriors = dict(zip(thresholds, solve(case, engine, thresholds.values()), strict=True))
    masks = {name: label_mask(one, case.labels, 0) for name, one in posteriors.items()}
    for value in fixed:
        yield f"seeds = {value}", threshold_mask(case.maps, case.labels, value)
    for name in thresholds:
        if not name.startswith(("low", "high")):
            yield name, masks[name]
    chosen = "level otsu_mean"
    for factor in FACTORS:
        yield f"void: factor {factor}", agreed(masks[f"low {factor}"], masks[f"high {factor}"])
    for confidence in CONFIDENCES:
        mask = label_mask(posteriors[chosen], case.labels, confidence)
        yield f"void: confidence {confidence}", mask
    for pixels in MIN_REGIONS_PX:
        yield f"regions of {pixels} px", void_small_regions(masks[chosen], pixels)
    yield "tags kept", restore_vanished_tags(masks[chosen], case.maps, case.labels).mask


def solve(case: Case, engine: NumbaEngine, thresholds: Any) -> list[np.ndarray]:
    """Posteriors for several backgrounds and thresholds."""
    unaries = [
        energies_from_softmax(background.before(case.maps, threshold))
        for background, threshold in thresholds
    ]
    return engine.solve(case.image, unaries)


def score(counts: np.ndarray) -> dict[str, float]:
    """Mean IoU with void as background, coverage, and mean IoU where there are labels."""
    return {
        "miou": mean_iou(void_as_background(counts)),
        "coverage": coverage(counts),
        "covered_miou": mean_iou(counts[:, :-1]),
    }


if __name__ == "__main__":
    main()
