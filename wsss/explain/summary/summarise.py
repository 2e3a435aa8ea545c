"""From a request to a summary: the run, one pass over its images, sheets, numbers and the page."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from omegaconf import DictConfig

from wsss.artifacts import fingerprint, read_json, remove_unfinished, write_json
from wsss.data.item_table import joined, select
from wsss.data.source import TRAIN, VAL
from wsss.errors import user_error
from wsss.explain.output_folder import DEFAULT_OUTPUT, write_picture
from wsss.explain.request import Request
from wsss.explain.summary.evidence_pass import Views, look_at
from wsss.explain.summary.evidence_store import EvidenceStore
from wsss.explain.summary.findings import (
    CLASSIFIER,
    SEGMENTER,
    Findings,
    findings,
    mean_maps_of_predictions,
    mean_maps_of_seeds,
)
from wsss.explain.summary.page import PAGE, write_page
from wsss.explain.summary.pictures import RowDrawer
from wsss.explain.summary.sections import cell_title, described, sections
from wsss.explain.summary.summarised_run import MASKS, SummarisedRun, run_of
from wsss.files import DamagedFileError, on_disk
from wsss.machine.cores import usable_cores
from wsss.machine.devices import usable_device
from wsss.settings.folders import make_folder
from wsss.stage_tools.context import Context
from wsss.stage_tools.dead_loaders import dead_loaders_told
from wsss.stage_tools.locks import locked
from wsss.stage_tools.one_process import one_process
from wsss.stage_tools.worker_pool import failures, forget_failures

VERSION = 2
"""Raised when the same run gives another summary."""
SUMMARY = "summary.json"
OWN_FOLDERS = ("evidence", CLASSIFIER, SEGMENTER, "notes")
"""What a summary writes below its folder, besides the page and its numbers."""
STAGES = ("classify", "reactivate", "oppose", "affinity", "localize", "refine")
"""Stages that a summary is made from; of an evaluated segmenter also `evaluate`."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Results of a call."""

    folder: Path
    content: dict[str, Any]
    """Of `summary.json`."""
    cached: bool

    @property
    def page(self) -> Path:
        """Path of the page."""
        return self.folder / PAGE


def summarise(request: Request, data: DictConfig | None = None) -> Summary:
    """Summarise a run over its whole data set; a summary that is there is not computed again.

    Args:
        request: the checked settings.
        data: settings of the data set; None: those that the run has noted.

    Raises:
        WsssError: the run lacks what a summary takes, or too many images failed.
    """
    assert request.summary is not None
    device = usable_device(request.device)
    run = run_of(request.summary, data, request.by)
    key = _fingerprint(run, request.by)
    folder = request.output or DEFAULT_OUTPUT / key
    make_folder("output", str(folder))
    with on_disk(folder), locked(folder / "summary"):
        if _finished(folder, key):
            return Summary(folder, read_json(folder / SUMMARY), cached=True)
        _claim(folder, key)
        with one_process(device) as fabric, dead_loaders_told("explain"):
            content = _summarised(run, request.by, folder, fabric)
        write_json(folder / SUMMARY, {"fingerprint": key, "finished": True, **content})
        return Summary(folder, content, cached=False)


def _summarised(run: SummarisedRun, by: str, folder: Path, fabric: Fabric) -> dict[str, Any]:
    context = Context(
        run.source,
        folder / "notes",
        inputs=run.folders,
        fabric=fabric,
        workers=usable_cores(),
        unusable=run.unusable,
        application="explain",
    )
    train, val = context.items(TRAIN), context.items(VAL)
    if by == MASKS:
        val = select(val, run.predictions.has) if run.predictions is not None else []
    items = joined(train, val)
    evidence = folder / "evidence"
    views = Views(
        EvidenceStore(evidence / CLASSIFIER), EvidenceStore(evidence / SEGMENTER), run.predictions
    )
    look_at(context, run, items, views, by)
    found = [*_findings(run, by, views, train, val)]
    drawer = RowDrawer(run, frozenset(item.id for item in val))

    def write(path: str, picture: np.ndarray) -> None:
        write_picture(folder / path, picture)

    drawn = [one for network in found for one in sections(network, drawer, write)]
    write_page(folder / PAGE, run, found, drawn)
    names = run.source.class_names
    return {
        "run": run.name,
        "by": by,
        "oracle": by == MASKS,
        "saw_masks": run.saw_masks,
        "networks": {one.network: _told(one, names) for one in found},
        "left_out": failures(context.folder),
    }


def _findings(
    run: SummarisedRun, by: str, views: Views, train: Any, val: Any
) -> Iterator[Findings]:
    num_classes = len(run.source.class_names)
    counts = by == MASKS
    items = select(train if counts else joined(train, val), views.classifier.has)
    maps = mean_maps_of_seeds(train, run.seeds, run.pseudo_masks)
    pixels = (run.counts(of_predictions=False), "pseudo_masks") if counts else None
    yield findings(CLASSIFIER, items, views.classifier, maps, by, pixels, num_classes)
    predicted = select(val, views.segmenter.has)
    if run.predictions is not None and len(predicted):
        maps = mean_maps_of_predictions(predicted, run.predictions)
        pixels = (run.counts(of_predictions=True), "segmenter") if counts else None
        yield findings(SEGMENTER, predicted, views.segmenter, maps, by, pixels, num_classes)


def _told(found: Findings, names: tuple[str, ...]) -> dict[str, Any]:
    """The findings of a network as plain data."""
    by_masks = found.by == MASKS
    return {
        "images": found.num_images,
        "classes": {
            names[label - 1]: {
                "images": maps.frame.num_images,
                "beside_object": float(np.mean(maps.outside)) if maps.outside else None,
                "beside_object_std": float(np.std(maps.outside)) if maps.outside else None,
            }
            for label, maps in found.mean_maps.items()
        },
        "failures": len(found.failures),
        "images_with_failures": len({one.item.id for one in found.failures}),
        "groups": [
            {
                "images": group.num_images,
                "wrongness": group.wrongness,
                "members": [
                    {
                        "image": found.failures[one].item.id,
                        "failure": described(found.failures[one].failure, names),
                        "wrongness": found.failures[one].failure.wrongness,
                    }
                    for one in group.members
                ],
            }
            for group in found.groups
        ],
        "confusion": [
            {
                "cell": cell_title(cell, names, by_masks),
                "pixels" if by_masks else "count": cell.count,
                "images": [*cell.images],
            }
            for cell in found.cells
        ],
    }


def _fingerprint(run: SummarisedRun, by: str) -> str:
    """Fingerprint of a summary: by the stages that it is made from."""
    evaluated = by == MASKS or run.predictions is not None
    stages = (*STAGES, *(("evaluate",) if evaluated else ()))
    used = {one: run.folders[one].name for one in stages if one in run.folders}
    return fingerprint({"summary": VERSION, "stages": used, "by": by})


def _finished(folder: Path, key: str) -> bool:
    """Whether the folder holds this summary, complete."""
    there = _noted(folder)
    return (
        there.get("fingerprint") == key
        and bool(there.get("finished"))
        and (folder / PAGE).is_file()
    )


def _claim(folder: Path, key: str) -> None:
    """Note whose folder it is; another summary that is there is removed."""
    there = _noted(folder)
    if there and there.get("fingerprint") != key:
        for name in OWN_FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / PAGE).unlink(missing_ok=True)
    write_json(folder / SUMMARY, {"fingerprint": key, "finished": False})
    remove_unfinished(folder)
    forget_failures(folder / "notes")


def _noted(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; empty where there was no summary.

    Raises:
        WsssError: it holds a file of this name that is another program's.
    """
    path = folder / SUMMARY
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except DamagedFileError:
        content = None
    if not isinstance(content, dict) or "fingerprint" not in content:
        raise user_error(
            path, "a file that `wsss explain --summary` did not write",
            "an earlier summary, which is replaced, or none",
            "Choose another folder by `output=…`.",
        )  # fmt: skip
    return content
