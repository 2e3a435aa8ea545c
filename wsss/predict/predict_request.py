"""From a request to predictions: segmenter, images, processes, tables."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from wsss.artifacts import file_digest, fingerprint, mark_of, remove_unfinished, write_json
from wsss.data.image_list import find_images
from wsss.data.item_table import select
from wsss.data.pyramids import Scales
from wsss.data.sample import Item
from wsss.errors import Problem, Severity, WsssError
from wsss.files import on_disk
from wsss.machine.cores import usable_cores
from wsss.machine.devices import device_name, usable_device
from wsss.models.saved_networks import SEGMENTER, load_segmenter
from wsss.predict.coco import coco
from wsss.predict.crf import evaluation_crf
from wsss.predict.given_images import GivenImages, measure
from wsss.predict.output_folder import OutputFolder, claim
from wsss.predict.predict_images import Settings, classify_images, note_segments, predict_images
from wsss.predict.processes import connected, started
from wsss.predict.request import Request
from wsss.predict.tables import ClassTotal, totals, write_predictions, write_tags
from wsss.predict.tiles import Tiling
from wsss.predict.voc_submission import check_classes, told, write_submission
from wsss.settings.folders import make_folder
from wsss.stage_tools.context import Context
from wsss.stage_tools.dead_loaders import dead_loaders_told
from wsss.stage_tools.locks import locked
from wsss.stage_tools.worker_pool import failures, forget_failures
from wsss.wording import plural

DEFAULT_OUTPUT = Path("runs", "predict")
NOT_IN_TILES = {"crf": "a dense CRF", "probabilities": "probabilities"}
"""What there is not for images seen in tiles: either needs all of the image at once."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """Results of a call."""

    folder: Path
    num_images: int
    totals: Sequence[ClassTotal]
    """Background and every class."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """What was asked for besides masks, by its kind."""
    problems: Sequence[Problem] = ()
    """Images that were left out, with reasons."""
    notes: Sequence[str] = ()
    """About what was asked for besides masks."""
    mark: str = ""
    """` (saw masks)` for a segmenter that such weights had a part in."""


def run(request: Request, say: Callable[[str], None] = print) -> Predicted | None:
    """Predict the images of a request; None on all processes but the first.

    Images that cannot be read are left out.

    Args:
        request: the checked settings.
        say: is told what is computed, and on what, before anything is.

    Raises:
        WsssError: the request cannot be met, or nothing could be predicted.
    """
    assert request.segmenter is not None
    device = usable_device(request.device)
    segmenter, names = load_segmenter(request.segmenter)
    if request.voc_submission:
        check_classes(names)
    explainer = None
    if request.classifier is not None:
        from wsss.predict.classifier import explainer_of

        explainer = explainer_of(request.classifier, request.explanations, names, device)
    items, problems = find_images(request.images, request.output or DEFAULT_OUTPUT)
    tiling = Tiling(request.tile_px, request.overlap_px, request.tile_above_megapixels)
    sizes, unreadable = measure(items, request.max_megapixels)
    problems += [*unreadable, *_refused_in_tiles(request, items, sizes, tiling)]
    sizes = {one: size for one, size in sizes.items() if not _lacks(request, tiling.cuts(size))}
    if not sizes:
        raise WsssError(*(replace(one, severity=Severity.ERROR) for one in problems))
    engine, crf = evaluation_crf(device) if request.crf else (None, None)
    multiple_px = request.multiple_px or segmenter.output_stride
    scales = Scales(request.scales, multiple_px, request.max_side_px)
    described = {
        "segmenter": file_digest(request.segmenter / f"{SEGMENTER}.safetensors"),
        **{name: getattr(request, name) for name in _OF_MASKS},
        "scales": list(request.scales),
        "multiple_px": multiple_px,
        "crf": crf,
        "images": [[i.id, str(i.image.absolute()), *_size_of(i)] for i in items if i.image],
    }
    folder = request.output or DEFAULT_OUTPUT / fingerprint(described)
    output = OutputFolder(folder, request.overlays, request.probabilities)
    make_folder("output", str(folder))
    with (
        connected(device) as fabric,
        on_disk(folder),
        dead_loaders_told("predict"),
        _claimed(fabric, folder, described),
    ):
        context = Context(
            GivenImages(items, names),
            folder / "notes",
            fabric=fabric,
            workers=usable_cores() // started()[0] if request.workers is None else request.workers,
            sizes=sizes,
            application="predict",
        )
        if context.is_main:
            say(_first_line(request, fabric, names, len(sizes)))
        settings = Settings(
            scales, request.flip, engine, request.batch_size, tiling, request.tiles_at_once
        )
        predict_images(context, segmenter, settings, output)
        fabric.barrier()
        # Of one process for all: file systems tell others later what is there.
        ids = fabric.broadcast({i.id for i in items if i.id in sizes and output.has(i)})
        done = select(items, lambda item: item.id in ids)
        tagged: Sequence[Item] = ()
        if explainer is not None:
            from wsss.predict.classifier import Tagger, classifier_digests

            assert request.classifier is not None
            tagger = Tagger(explainer, classifier_digests(request.classifier), output)
            task = partial(tagger.tag, notes=context.folder)
            classify_images(context, done, task, tagger.has)
            fabric.barrier()
            tagged = select(done, tagger.has)
        if request.coco:
            note_segments(context, done, output, len(names))
        fabric.barrier()
        if not context.is_main:
            return None
        reasons = failures(context.folder).values()
        problems += [_noted(reason) for reason in reasons]
        if not done:
            raise WsssError(*problems)
        files = _write_tables(request, output, done, tagged, names)
        notes = told(folder, done) if request.voc_submission else []
        found = totals(done, output, names)
        mark = mark_of(request.segmenter)
        return Predicted(folder, len(done), found, files, problems, notes, mark)


_PROBLEM = re.compile(r"(.+?): (.+)\. Expected (.+?)\. (.+)", re.DOTALL)
"""A problem's text."""
_OF_MASKS = (
    "flip", "max_side_px", "tile_above_megapixels", "tile_px", "overlap_px", "batch_size",
)  # fmt: skip
"""Settings that a mask's bytes follow from, besides segmenter, scales, CRF and images."""


def _write_tables(
    request: Request,
    output: OutputFolder,
    done: Sequence[Item],
    tagged: Sequence[Item],
    names: Sequence[str],
) -> dict[str, Path]:
    """Write what is about all images, and say what is where.

    Args:
        request: what is asked for.
        output: the folder of notes, which gets the tables.
        done: images that have masks.
        tagged: those that the classifier has seen, too.
        names: of the classes.
    """
    folder = output.root
    files = {"areas and confidences": folder / "predictions.csv"}
    write_predictions(files["areas and confidences"], done, output, names)
    if request.probabilities:
        files["probabilities"] = folder / "probabilities"
    if request.coco:
        files["COCO"] = folder / "coco.json"
        write_json(files["COCO"], coco(done, output, names))
    if request.classifier is not None:
        files["tags"] = folder / "tags.csv"
        write_tags(files["tags"], tagged, output, names, request.tag_threshold)
        if request.explanations:
            files["explanations"] = folder / "explanations"
    if request.voc_submission:
        competition = request.voc_competition
        files["submission"] = write_submission(folder, done, output.masks, competition)
    return files


@contextmanager
def _claimed(fabric: Fabric, folder: Path, described: Mapping[str, Any]) -> Iterator[None]:
    """Hold the folder for the processes of this command in the block.

    Raises:
        WsssError: on all of them, the folder holds predictions of others.
    """
    first = fabric.global_rank == 0
    with locked(folder / "predict") if first else nullcontext():
        refusal: WsssError | None = None
        if first:
            try:
                claim(folder, described)
            except WsssError as error:
                refusal = error
            else:
                remove_unfinished(folder)
                forget_failures(folder / "notes")
        if (refusal := fabric.broadcast(refusal)) is not None:
            raise refusal
        yield


def _lacks(request: Request, in_tiles: bool) -> bool:
    """Whether something is asked for that images in tiles do not have."""
    return in_tiles and any(getattr(request, name) for name in NOT_IN_TILES)


def _refused_in_tiles(
    request: Request, items: Sequence[Item], sizes: Mapping[str, tuple[int, int]], tiling: Tiling
) -> Iterator[Problem]:
    asked = [name for name in NOT_IN_TILES if getattr(request, name)]
    for item in items:
        if item.id in sizes and asked and tiling.cuts(sizes[item.id]):
            height, width = sizes[item.id]
            wanted = " and ".join(NOT_IN_TILES[name] for name in asked)
            options = " and ".join(f"`--{name}`" for name in asked)
            yield Problem(
                str(item.image),
                f"an image of {width} × {height} px, which is seen in tiles, and {wanted}",
                "one or the other: both need the whole image in memory at once",
                f"Leave {options} out, or see it reduced by `tile_above_megapixels=null`.",
                Severity.SKIPPED,
            )


def _noted(reason: str) -> Problem:
    """The problem whose text was noted."""
    if found := _PROBLEM.fullmatch(reason):
        where, came, expected, remedy = found.groups()
        return Problem(where, came, expected, remedy, Severity.SKIPPED)
    expected = "an image that can be processed"
    return Problem("wsss predict", reason, expected, "Leave it out.", Severity.SKIPPED)


def _first_line(request: Request, fabric: Fabric, names: Sequence[str], count: int) -> str:
    """What is computed, by what, on what."""
    device = fabric.device
    where = device_name(device) if device.type == "cuda" else f"the {device.type.upper()}"
    ranks = f" in {fabric.world_size} processes" if fabric.world_size > 1 else ""
    listed = ", ".join(names[:20]) + ", …" * (len(names) > 20)
    mark = mark_of(request.segmenter) if request.segmenter is not None else ""
    return (
        f"Predicting {plural(count, 'image')} on {where} ({plural(usable_cores(), 'core')})"
        f"{ranks}: background and {plural(len(names), 'class', 'classes')} ({listed})"
        f"{mark}"
    )


def _size_of(item: Item) -> tuple[int | None]:
    """Bytes of an image's file, by which another of the same name is told; None without one."""
    assert item.image is not None
    return (item.image.stat().st_size if item.image.is_file() else None,)
