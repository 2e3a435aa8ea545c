"""From a request to a folder: networks, masks, seeds, and the card that describes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wsss.artifacts import LabelStore, file_digest, fingerprint, read_json
from wsss.data.source import TRAIN, Source
from wsss.exporting.example import find_example
from wsss.exporting.irn_seeds import export_seeds
from wsss.exporting.lineage import trace
from wsss.exporting.network_files import export_network
from wsss.exporting.onnx_file import LIBRARIES, check_libraries
from wsss.exporting.output_folder import COCO, IRN, RECORD, VOC, begin, finish
from wsss.exporting.plan import Plan, plan
from wsss.exporting.pseudo_masks import export_coco, export_devkit
from wsss.exporting.request import Request

VERSION = 1
"""Raised when the same request gives other bytes."""
DEFAULT_OUTPUT = "export"
"""Folder of all exports, beside those of the stages."""


@dataclass(slots=True)
class Exported:
    """What is in the folder of an export."""

    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """How each file of a network agrees with torch, by its name."""
    cached: bool = False
    """Whether all was there before."""


def run(
    request: Request,
    source: Source | None,
    say: Callable[[str], None] = lambda _: None,
    visible: bool = True,
) -> tuple[Path, Exported]:
    """Export the results of a stage; gives the folder, and what is in it.

    Args:
        request: the checked settings.
        source: the data set of the run; None where no `data=…` was given.
        say: told what is written next.
        visible: whether to show progress bars.

    Raises:
        WsssError: the request cannot be met, or a written network does not agree with torch.
    """
    from wsss.exporting.card import write_card

    lineage = trace(request.folder)
    planned = plan(request, lineage, source)
    if "onnx" in planned.formats:
        check_libraries()
    example = None
    if request.example is not None and source is not None:
        example = find_example(request.example, lineage, source)
    # Nothing of an earlier export is removed before it is known that this one can be made.
    basis = _basis(request, planned, source)
    name = fingerprint(basis)
    folder = request.output or lineage.folder.parents[1] / DEFAULT_OUTPUT / name
    if begin(folder, name):
        return folder, Exported(read_json(folder / RECORD)["checks"], cached=True)
    checks: dict[str, Any] = {}
    for kind, stage in planned.networks.items():
        checks |= export_network(kind, stage, folder, planned.formats, say)
    if planned.masks is not None:
        assert source is not None
        masks = LabelStore(planned.masks)
        items = [item for item in source.items(TRAIN) if masks.has(item)]
        if VOC in planned.formats:
            export_devkit(folder / VOC, source, items, masks, visible)
        if COCO in planned.formats:
            export_coco(folder / COCO, source, items, masks, lineage.given, visible)
    if planned.seeds is not None:
        export_seeds(planned.seeds, folder / IRN, visible)
    write_card(folder, request, planned, source, checks, example)
    finish(folder, name, {**basis, "checks": checks})
    return folder, Exported(checks)


def _basis(request: Request, planned: Plan, source: Source | None) -> dict[str, Any]:
    """All that the bytes of an export depend on, for its fingerprint and its record."""
    lineage = planned.lineage
    return {
        "version": VERSION,
        "stage": lineage.stage,
        "stages": {stage: folder.name for stage, folder in lineage.folders.items()},
        "weights": {
            kind: file_digest(stage / f"{kind}.safetensors")
            for kind, stage in planned.networks.items()
        },
        "formats": list(planned.formats),
        "card": {"name": request.name, "license": request.license, "example": request.example},
        "data": source and {"name": source.name, "classes": list(source.class_names)},
        "versions": {one: _version(one) for one in ("wsss", "torch", *LIBRARIES)},
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
