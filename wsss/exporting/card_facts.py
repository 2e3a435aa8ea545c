"""What a model card tells of the stages before a network: tags, settings, first weights."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from wsss.artifacts import SEED_STAGES, SeedStore, as_written, opened, read_json
from wsss.data.source import TRAIN, Source
from wsss.exporting.lineage import CLASSIFIERS, EVALUATION, SEGMENTER, Lineage
from wsss.models.efficientnet_lite import VARIANTS
from wsss.models.hub import HUB_WEIGHTS
from wsss.models.joined_backbones import JOINT
from wsss.models.weights import PACKAGE_WEIGHTS


@dataclass(frozen=True, slots=True)
class TrainingTags:
    """How many training images have each tag."""

    images: int
    by_class: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StageFacts:
    """A stage as the card shows it."""

    name: str
    fingerprint: str
    settings: str
    """JSON, without folders of this machine."""
    devices: str
    commit: str
    finished_at: str


def class_names(lineage: Lineage, source: Source | None) -> tuple[str, ...]:
    """Names of the C classes; empty where nothing tells them."""
    if source is not None:
        return source.class_names
    for stages, kind in (((SEGMENTER,), "segmenter"), (CLASSIFIERS, "classifier")):
        folder = lineage.first(stages)
        if folder is not None and (folder / f"{kind}.json").is_file():
            return tuple(read_json(folder / f"{kind}.json")["class_names"])
    return ()


def training_tags(lineage: Lineage, source: Source | None) -> TrainingTags | None:
    """The tags of the training images: of the data set, else of those with seeds."""
    names = class_names(lineage, source)
    if source is not None:
        labels = [item.labels for item in source.items(TRAIN)]
    elif (folder := lineage.first(SEED_STAGES)) is not None:
        labels = [_tags(path) for path in (folder / "seeds").glob(f"*{SeedStore.suffix}")]
    else:
        return None
    counts = Counter(label for tags in labels for label in tags)
    return TrainingTags(len(labels), tuple(counts[label] for label in range(1, len(names) + 1)))


def _tags(seeds: Path) -> tuple[int, ...]:
    """The tags of an image, from its seeds, whose maps are not read."""
    with as_written(seeds), opened(seeds) as content:
        return tuple(np.asarray(content["classes"]).tolist())


def stage_facts(lineage: Lineage) -> tuple[StageFacts, ...]:
    """Every stage in its order."""
    return tuple(
        StageFacts(
            stage,
            one.fingerprint,
            json.dumps(without_folders(one.config), indent=2, ensure_ascii=False),
            ", ".join(one.devices),
            one.commit,
            one.finished_at,
        )
        for stage, one in lineage.manifests.items()
    )


def without_folders(value: Any) -> Any:
    """Settings in which an absolute path is the name of its file: folders are nobody's business."""
    if isinstance(value, dict):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_folders(one) for one in value]
    if isinstance(value, str):
        for path in (PurePosixPath(value), PureWindowsPath(value)):
            if path.is_absolute() or value.startswith("~"):
                return path.name
    return value


def first_weights(lineage: Lineage) -> tuple[str, ...]:
    """Sentences on the weights that training started from, with their licences where known."""
    stages: dict[tuple[str, str | None], list[str]] = {}
    for stage, part, key in (("classify", "backbone", "name"), (SEGMENTER, "segmenter", "encoder")):
        if stage in lineage.manifests and not lineage.manifests[stage].is_given:
            node = lineage.manifests[stage].config.get(part) or {}
            for name in str(node.get(key)).split(JOINT):
                stages.setdefault((name, node.get("weights")), []).append(f"`{stage}`")
    sentences = [
        f"{' and '.join(names)} started from {_weights(*weights)}"
        for weights, names in stages.items()
    ]
    if "a classifier" in lineage.given:
        given = lineage.manifests["classify"].config
        network = f" (`{given['model']}`)" if given.get("model") else ""
        name = without_folders(given.get("weights") or given.get("checkpoint"))
        sentences.insert(
            0,
            f"`classify` was given: `{name}`{network}, whose licence is not known here: "
            "*fill it in*.",
        )
    return tuple(sentences)


def _weights(network: str, weights: str | None) -> str:
    """The weights of a network, and their licence."""
    if weights is None:
        return f"random weights of `{network}`."
    if weights not in (PACKAGE_WEIGHTS, HUB_WEIGHTS):
        file = without_folders(weights)
        return f"the file `{file}` (`{network}`), whose licence is not known here: *fill it in*."
    from timm.models import get_pretrained_cfg

    try:
        licence = getattr(get_pretrained_cfg(network), "license", None)
    except RuntimeError:  # There is no such training.
        licence = None
    source = (
        f", as the package {VARIANTS[network].package} carries them without naming a licence"
        if weights == PACKAGE_WEIGHTS
        else ""
    )
    said = f"timm lists them under {licence}" if licence else "timm names no licence for them"
    return (
        f"the ImageNet weights of `{network}`{source}; {said}. ImageNet's images have terms of "
        "their own: non-commercial research."
    )


def scored_at(lineage: Lineage) -> float:
    """The factor of the images' size at which the evaluation saw them for the single scale."""
    evaluation = lineage.manifests.get(EVALUATION)
    scales = (evaluation.config.get("scales") if evaluation else None) or {}
    return float((scales.get("factors") or [1.0])[0])
