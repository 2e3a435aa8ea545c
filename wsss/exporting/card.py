"""The model card: `README.md` in the form that model hubs take."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from wsss.artifacts import atomic
from wsss.data.source import Source
from wsss.exporting.card_facts import (
    StageFacts,
    TrainingTags,
    class_names,
    first_weights,
    scored_at,
    stage_facts,
    training_tags,
)
from wsss.exporting.example import Example, write_example
from wsss.exporting.lineage import EVALUATION, Lineage
from wsss.exporting.output_folder import CARD, EXAMPLE
from wsss.exporting.plan import Plan
from wsss.exporting.request import Request
from wsss.report import formatting
from wsss.report.read_scores import SEGMENTER, Scores, read_scores
from wsss.wording import plural

UNKNOWN = "unknown"
"""How hubs spell a licence that nobody has named."""


def write_card(
    folder: Path,
    request: Request,
    planned: Plan,
    source: Source | None,
    checks: Mapping[str, Mapping[str, Any]],
    example: Example | None,
) -> None:
    """Write the card, and the example picture if one is asked for.

    Args:
        folder: of the export.
        request: name and licence.
        planned: what was exported.
        source: the data set, if it is known.
        checks: how each file of a network agrees with torch.
        example: the image that the card shows.
    """
    if example is not None:
        assert source is not None
        write_example(folder / EXAMPLE, example, source)
    lineage = planned.lineage
    evaluated = lineage.folders.get(EVALUATION)
    text = card(
        name=request.name or _name(lineage, source),
        license_=request.license or UNKNOWN,
        data_set=None if source is None else source.name,
        planned=planned,
        classes=class_names(lineage, source),
        tags=training_tags(lineage, source),
        stages=stage_facts(lineage),
        scores=Scores() if evaluated is None else read_scores(evaluated),
        factor=scored_at(lineage),
        first=first_weights(lineage),
        checks=checks,
        has_example=example is not None,
    )
    with atomic(folder / CARD) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def card(
    *,
    name: str,
    license_: str,
    data_set: str | None,
    planned: Plan,
    classes: tuple[str, ...],
    tags: TrainingTags | None,
    stages: tuple[StageFacts, ...],
    scores: Scores,
    factor: float,
    first: tuple[str, ...],
    checks: Mapping[str, Mapping[str, Any]],
    has_example: bool,
) -> str:
    """The text of the card: YAML between lines of dashes, then Markdown.

    Args:
        name: of the network.
        license_: of its weights, as hubs spell it.
        data_set: name of the data set; None where it is not known.
        planned: what is in the folder.
        classes: names of the C classes.
        tags: of the training images.
        stages: what was computed, in this order.
        scores: of the evaluation.
        factor: of the images' size at which the single-scale score was measured.
        first: sentences on the weights that training started from.
        checks: how each file of a network agrees with torch.
        has_example: whether there is an example picture.
    """
    environment = Environment(
        loader=PackageLoader("wsss.exporting"),
        autoescape=False,  # Markdown: what is no text of this package stands in tables and code.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": formatting.percent, "plural": plural, "cell": _cell}
    return environment.get_template("README.md.j2").render(
        front_matter=_front_matter(name, license_, data_set, scores, factor, planned).to_yaml(),
        name=name,
        given=planned.lineage.given,
        saw_masks=any(one.saw_masks for one in planned.lineage.manifests.values()),
        license=None if license_ == UNKNOWN else license_,
        data_set=data_set,
        networks=tuple(planned.networks),
        formats=planned.formats,
        classes=classes,
        tags=tags,
        stages=stages,
        subjects=scores.subjects,
        factor=factor,
        first_weights=first,
        checks=checks,
        has_example=has_example,
        has_masks=planned.masks is not None,
        has_seeds=planned.seeds is not None,
    )


def _front_matter(
    name: str,
    license_: str,
    data_set: str | None,
    scores: Scores,
    factor: float,
    planned: Plan,
) -> ModelCardData:
    """What a hub reads; the score is that of the exported segmenter, if it was measured."""
    subject = scores.get(SEGMENTER) if "segmenter" in planned.networks else None
    results = []
    mark = planned.lineage.manifests[planned.lineage.stage].mark
    if subject is not None and subject.miou is not None:
        size = "" if factor == 1 else f", images at {factor:g} times their size"
        results.append(
            EvalResult(
                task_type="image-segmentation",
                dataset_type=data_set or UNKNOWN,
                dataset_name=data_set or UNKNOWN,
                dataset_split=subject.split,
                metric_type="mean_iou",
                metric_name=f"mIoU{', oracle' if subject.oracle else ''}{mark}{size}",
                metric_value=round(subject.miou, 4),
            )
        )
    return ModelCardData(
        license=license_,
        library_name="wsss",
        pipeline_tag="image-segmentation",
        tags=["weakly-supervised", "semantic-segmentation", *_runtimes(planned)],
        metrics=["mean_iou"] if results else None,
        model_name=name if results else None,
        eval_results=results or None,
    )


def _runtimes(planned: Plan) -> list[str]:
    names = {"safetensors": "safetensors", "onnx": "onnx", "torch_export": "pytorch"}
    return [word for one, word in names.items() if planned.networks and one in planned.formats]


def _name(lineage: Lineage, source: Source | None) -> str:
    kind = {"segment": "segmenter", "refine": "pseudo-masks", "localize": "seeds"}
    last = kind.get(lineage.stage, "classifier")
    return f"{'wsss' if source is None else source.name}-{last}"


def _cell(text: str) -> str:
    """A name in a cell of a Markdown table."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
