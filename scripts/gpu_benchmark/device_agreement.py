"""GPU against CPU: seeds, pseudo masks and scores of one and the same classifier."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from gpu_benchmark.commands import finished, manifests, run_wsss
from gpu_benchmark.differences import mask_differences, mismatches, seed_differences
from gpu_benchmark.environment import CPU, GPU
from gpu_benchmark.parts import Found, at_most, table
from gpu_benchmark.run_settings import Composed
from gpu_benchmark.small_runs import chosen_stages
from wsss.artifacts import SeedStore, read_json
from wsss.data.source import TRAIN
from wsss.refine import CrfRefinement, NumbaEngine
from wsss.refine.dense_crf.torch_engine import TorchEngine
from wsss.stage_tools.crf_batches import BATCH_SIZE

OTHER_LABELS = 1e-3
"""The share of pixels of pseudo masks that may have another label."""
NEAR_TIES = 1e-4
"""The same of the dense CRF alone: rounding decides where two labels are equally likely."""
STAND_IN = (f"trainer={CPU}", "refine/engine=torch", "dense_crf.device=cpu")
"""What takes the GPU's place where there is none: the engine for GPUs on the CPU."""


def device_agreement_part(
    found: Found, words: Sequence[str], folder: Path, device: str, limit_s: float
) -> None:
    """Train a classifier on the CPU; make seeds and pseudo masks of it on both, and compare.

    Args:
        found: takes the differences.
        words: settings of a small run.
        folder: takes both runs' folders.
        device: `gpu` or `cpu`, which takes the engine for GPUs on the CPU instead.
        limit_s: seconds of a command.
    """
    reference, other = folder / "on_cpu", folder / "on_gpu"
    classify = [*words, f"trainer={CPU}", chosen_stages("classify")]
    run_wsss(classify, reference, folder / "classify.log", limit_s)
    shutil.copytree(reference / "classify", other / "classify")
    stages = chosen_stages("localize", "refine", "evaluate")
    runs = {
        reference: [*words, f"trainer={CPU}", stages],
        other: [*words, *([f"trainer={GPU}"] if device == GPU else STAND_IN), stages],
    }
    with ThreadPoolExecutor(len(runs)) as both:  # The one's device is nearly all the other leaves.
        jobs = [
            both.submit(run_wsss, chosen, work_dir, folder / f"{work_dir.name}.log", limit_s)
            for work_dir, chosen in runs.items()
        ]
        for job in jobs:
            job.result()
    compare_runs(found, reference, other, device)
    compare_engines(found, words, reference, device)


def compare_runs(found: Found, reference: Path, other: Path, device: str) -> None:
    """Compare the seeds, pseudo masks and scores of two finished runs."""
    seeds = seed_differences(
        *(finished(work_dir, "localize") / "seeds" for work_dir in (reference, other))
    )
    masks = mask_differences(
        *(finished(work_dir, "refine") / "masks" for work_dir in (reference, other))
    )
    scores = [pseudo_miou(work_dir) for work_dir in (reference, other)]
    apart = None if None in scores else abs(scores[0] - scores[1])  # type: ignore[operator]
    devices = {stage: one.devices for stage, one in manifests(other).items()}
    engine = manifests(other)["refine"].config["method"]["engine"]["_target_"].rpartition(".")[2]
    found.numbers |= {
        "seeds": seeds,
        "pseudo_masks": masks,
        "pseudo_masks_miou": dict(zip(("cpu", "gpu"), scores, strict=True)),
        "miou_difference": apart,
        "devices": devices,
        "engine": engine,
    }
    found.aims.append(at_most("share of pixels with another label", masks["differ"], OTHER_LABELS))
    found.failures += mismatches("seeds", seeds) + mismatches("pseudo masks", masks)
    if device == GPU and any(devices[stage] == [CPU] for stage in ("localize", "refine")):
        found.failures.append(f"the run on the GPU was computed on {devices}")
    rows = [
        ["images", str(seeds["images"])],
        ["seeds, largest difference", f"{seeds['largest']:.2e}"],
        ["seeds, mean difference", f"{seeds['mean']:.2e}"],
        ["pseudo masks, pixels with another label", f"{masks['differ']:.4%}"],
        ["the same, worst image", f"{masks['worst']:.4%}"],
        ["mIoU of pseudo masks, CPU and GPU", " and ".join(map(_score, scores))],
        ["difference", _score(apart)],
        ["dense CRF of the second", engine],
    ]
    found.tables.append(table("GPU against CPU, one classifier", ["", ""], rows))


def pseudo_miou(work_dir: Path) -> float | None:
    """The mean IoU of a run's pseudo masks; None where there is no ground truth."""
    subjects = read_json(finished(work_dir, "evaluate") / "metrics.json")["subjects"]
    return subjects["pseudo_masks"]["miou"] if "pseudo_masks" in subjects else None


def compare_engines(found: Found, words: Sequence[str], reference: Path, device: str) -> None:
    """The dense CRF alone: from the same seeds, numba on the CPU and the engine for GPUs."""
    composed = Composed(words, device)
    method = composed.stage("refine").keywords["method"]
    if not isinstance(method, CrfRefinement):
        found.notes.append("the dense CRF alone: not part of these settings")
        return
    store = SeedStore(finished(reference, "localize") / "seeds")
    source = composed.source
    items = [item for item in source.items(TRAIN) if store.has(item)]
    problems = [method.problem(source.read_image(item), store.read(item)) for item in items]
    kernels = {
        name: getattr(method.engine, name)
        for name in (
            "gaussian_sxy_px", "gaussian_compat", "bilateral_sxy_px", "bilateral_srgb",
            "bilateral_compat", "num_iterations",
        )
    }  # fmt: skip
    numba = NumbaEngine(**kernels)
    torch_engine = TorchEngine(**kernels, device="cuda" if device == GPU else "cpu")
    differ = pixels = 0
    for start in range(0, len(problems), BATCH_SIZE):
        images, unaries = zip(*problems[start : start + BATCH_SIZE], strict=True)
        theirs = torch_engine.label_batch(images, unaries)
        for image, several, labels in zip(images, unaries, theirs, strict=True):
            for mine, other in zip(numba.label(image, several), labels, strict=True):
                differ += int(np.count_nonzero(mine.labels != other.labels))
                pixels += mine.labels.size
    share = differ / max(1, pixels)
    result: dict[str, Any] = {"images": len(items), "pixels": pixels, "differ": share}
    found.numbers["dense_crf_alone"] = result
    found.aims.append(at_most("share of pixels, dense CRF alone", share, NEAR_TIES))


def _score(score: float | None) -> str:
    return "no ground truth" if score is None else f"{score:.4f}"
