"""What goes into an export: formats, and the stages that each is written from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wsss.artifacts import SEED_STAGES
from wsss.data.source import TRAIN, Source
from wsss.errors import user_error
from wsss.exporting.lineage import CLASSIFIERS, MASKS, SEGMENTER, Lineage
from wsss.exporting.request import Format, Request

NETWORK_FORMATS: tuple[Format, ...] = ("safetensors", "onnx", "torch_export")
MASK_FORMATS: tuple[Format, ...] = ("voc", "coco")
SEED_FORMATS: tuple[Format, ...] = ("irn",)
FITTING = {
    SEGMENTER: NETWORK_FORMATS,
    MASKS: MASK_FORMATS,
    **dict.fromkeys(SEED_STAGES, SEED_FORMATS),
    **dict.fromkeys(CLASSIFIERS, NETWORK_FORMATS),
}
"""The formats of each stage, where none is asked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an export writes."""

    lineage: Lineage
    formats: tuple[Format, ...]
    networks: Mapping[str, Path]
    """Stage's folder of `segmenter` and `classifier`."""
    masks: Path | None
    """Pseudo masks, if they are exported."""
    seeds: Path | None
    """Seeds, if they are exported."""


def plan(request: Request, lineage: Lineage, source: Source | None) -> Plan:
    """Decide what is exported.

    Args:
        request: the settings.
        lineage: of the stage.
        source: the data set, if there is one.

    Raises:
        WsssError: a format needs a stage or a data set that is not there, or the data set is not
            the one that the stage was computed from.
    """
    formats = tuple(dict.fromkeys(request.formats)) or FITTING[lineage.stage]
    if request.classifier and not {*formats} & {*NETWORK_FORMATS}:
        formats = (*NETWORK_FORMATS, *formats)
    networks: dict[str, Path] = {}
    if {*formats} & {*NETWORK_FORMATS}:
        if SEGMENTER in lineage.folders:
            networks["segmenter"] = lineage.folders[SEGMENTER]
        if request.classifier or lineage.stage in CLASSIFIERS:
            networks["classifier"] = _needed(lineage, "classifier=true", CLASSIFIERS)
        if not networks:
            raise user_error(
                f"formats={','.join(formats)}", f"the stage `{lineage.stage}` has no network",
                f"{', '.join(FITTING[lineage.stage])} of this stage, or `classifier=true`",
                "Leave the other formats out, or name a finished segment or classify stage.",
            )  # fmt: skip
    wanted = {
        word: [one for one in formats if one in words]
        for word, words in (("masks", MASK_FORMATS), ("seeds", SEED_FORMATS))
    }
    if source is not None:
        _check_same_data(source, lineage)
    elif wanted["masks"]:
        raise user_error(
            f"formats={','.join(wanted['masks'])}", "no data set",
            "the images that the masks belong to",
            "Add the data settings of the run, such as `data=folder data.root=my_images`.",
        )  # fmt: skip
    places = {
        word: _needed(lineage, f"formats={','.join(wanted[word])}", of) / word
        if wanted[word]
        else None
        for word, of in (("masks", (MASKS,)), ("seeds", SEED_STAGES))
    }
    return Plan(lineage, formats, networks, places["masks"], places["seeds"])


def _needed(lineage: Lineage, setting: str, of: tuple[str, ...]) -> Path:
    """The folder of the first of some stages.

    Raises:
        WsssError: there is none.
    """
    if (place := lineage.first(of)) is None:
        raise user_error(
            setting, f"no finished `{of[-1]}` behind {lineage.folder}",
            f"its folder beside it: {lineage.folder.parents[1] / of[-1]}/…",
            "Leave this out, or run that stage again with the same settings.",
        )  # fmt: skip
    return place


def _check_same_data(source: Source, lineage: Lineage) -> None:
    """Refuse another data set than the one of the stage.

    Raises:
        WsssError: its images or tags differ.
    """
    written = lineage.manifests[lineage.stage].basis.get("data", {}).get(TRAIN)
    if written is not None and source.fingerprint(TRAIN) != written:
        raise user_error(
            f"data set `{source.name}`",
            f"its training images and tags are not those that {lineage.folder} was computed from",
            f"the data set of the run (fingerprint {written})",
            "Give the data settings that the run had; they are in .hydra/config.yaml of its logs.",
        )  # fmt: skip
