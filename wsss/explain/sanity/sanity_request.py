"""From a request to a sanity check: curves, sheets, a table in JSON."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from wsss.errors import Problem, WsssError, user_error
from wsss.explain.class_choice import parse_classes
from wsss.explain.explain_request import weights_of
from wsss.explain.explained_classifier import load_classifier
from wsss.explain.explainer import Explainer, left_out
from wsss.explain.image_files import contents, readable_images
from wsss.explain.method_catalogue import catalogue
from wsss.explain.method_settings import plain_settings
from wsss.explain.request import Request
from wsss.explain.result_folder import ResultFolder, noted_problem, problem_note
from wsss.explain.sanity.check_image import Checked, Similarity, check_image
from wsss.explain.sanity.network_blocks import Block, blocks_of
from wsss.explain.sanity.permuted_tags import refitted
from wsss.explain.sanity.pictures import curves_svg, maps_sheet
from wsss.explain.sanity.randomisation import cascade
from wsss.explain.sanity.tagged_features import tagged_features
from wsss.explain.sanity.verdicts import Curve, curve_of
from wsss.explain.supported_methods import build_methods
from wsss.machine.devices import usable_device
from wsss.models.classifier import SplitClassifier
from wsss.settings.build import build
from wsss.settings.config_dir import config_dir
from wsss.stage_tools.progress import track

VERSION = 2
"""Another one where the same request gives other results."""
SANITY, CURVES = "sanity.json", "sanity.svg"
TRAINED, NOTHING = "trained", "nothing"


@dataclass(frozen=True, slots=True)
class SanityCheck:
    """The networks that a classifier's maps are compared with."""

    explainer: Explainer
    """Of the trained classifier."""
    blocks: Sequence[Block]
    seed: int
    heads: Mapping[str, tuple[SplitClassifier, float]] = field(default_factory=dict)
    """Classifiers with heads fitted anew, and their losses."""

    @property
    def steps(self) -> list[str]:
        """What is drawn anew in the steps of the cascade, from nothing on."""
        return [NOTHING, *(block.title for block in self.blocks)]

    def networks(self) -> Iterator[tuple[str, SplitClassifier]]:
        """The cascade, which begins with the trained classifier itself, and the fitted heads."""
        model = self.explainer.classifier.model
        yield NOTHING, copy.deepcopy(model)
        yield from cascade(model, self.blocks, self.seed)
        yield from ((name, network) for name, (network, _) in self.heads.items())


@dataclass(frozen=True, slots=True)
class CheckedMethods:
    """Results of a call."""

    folder: Path
    steps: Sequence[str]
    curves: Mapping[str, Curve]
    """Of the cascade, by the method; the two baselines last."""
    heads: Mapping[str, Mapping[str, Curve]]
    """Of each fitted head, of one step, by the method."""
    problems: Sequence[Problem]
    """What was left out, with reasons."""


def run(
    request: Request,
    configs: Mapping[str, DictConfig],
    data: DictConfig | None = None,
    visible: bool = True,
) -> CheckedMethods:
    """Check whether the maps of a request's methods depend on its classifier.

    Args:
        request: the checked settings.
        configs: settings of each method, by its name.
        data: settings of the classifier's data set, to fit heads to permuted tags; None fits none.
        visible: whether to show a progress bar.

    Raises:
        WsssError: the request cannot be met, or no method could be checked.
    """
    device = usable_device(request.device)
    classifier = load_classifier(request)
    classifier.model.to(device)
    methods, refused = build_methods(configs, catalogue(config_dir()), classifier, device)
    if not methods:
        raise WsssError(*refused)
    heads = {}
    if data is not None:
        if request.checkpoint is None:
            raise user_error(
                "data", "a data set beside a model", "`checkpoint=runs/classify/…` beside it",
                "Leave `data` out: a model's training images are not known.",
            )  # fmt: skip
        tagged = tagged_features(request.checkpoint, classifier.model, build(data))
        heads = refitted(classifier.model, tagged, request.seed)
    choice = parse_classes(request.classes, classifier.class_names)
    explainer = Explainer(classifier, methods, choice, device=device)
    black = torch.zeros(1, 3, *classifier.sizes((224, 224), (1.0,))[0], device=device)
    check = SanityCheck(explainer, blocks_of(classifier.model, black), request.seed, heads)
    images, problems = readable_images(request.images, request.output)
    described: dict[str, Any] = {
        "mode": ["sanity", VERSION],
        "classifier": {"name": classifier.title, "weights": weights_of(request)},
        "methods": plain_settings({name: configs[name] for name in methods}),
        "steps": check.steps,
        "data": None if data is None else OmegaConf.to_container(data, resolve=True),
        "seed": request.seed,
        "classes": ",".join(map(str, request.classes)),
        "side_px": request.size,
        "images": contents([*images]),
    }
    files = [file for one in images.values() for file in (_note(one), _sheet(one))]
    folder = ResultFolder.of(request.output, described, [*files, SANITY, CURVES])
    problems += refused
    entries: list[dict[str, Any]] = []
    per_image = len(check.steps) + len(heads)
    work = _all(folder, check, images, entries, problems)
    for _ in track(work, per_image * len(images), "check", unit="network", visible=visible,
                   count=lambda networks: networks):  # fmt: skip
        pass
    problems += [noted_problem(words) for one in entries for words in one["left_out"]]
    found = summary(entries, len(check.steps), [*heads])
    if not found[0]:
        raise WsssError(*problems)
    curves, of_heads = found
    folder.write_text(CURVES, curves_svg(curves, check.steps))
    del described["images"]
    folder.write(SANITY, {
        **described,
        "methods": {
            name: {
                "settings": described["methods"].get(name),
                "verdict": curve.verdict,
                "cascade": curve.plain(),
                "heads": {head: of_heads[head][name].plain() for head in heads},
            }
            for name, curve in curves.items()
        },
        "head_losses": {name: loss for name, (_, loss) in heads.items()},
        "left_out": [str(one) for one in problems],
        "images": [{"image": one["image"], "sheet": one["sheet"]} for one in entries],
    })  # fmt: skip
    return CheckedMethods(folder.folder, check.steps, curves, of_heads, problems)


def summary(
    entries: Sequence[Mapping[str, Any]], num_steps: int, heads: Sequence[str]
) -> tuple[dict[str, Curve], dict[str, dict[str, Curve]]]:
    """Curves of the cascade by the method, and those of each head: empty where no image has any.

    Args:
        entries: of images, as in their notes.
        num_steps: of the cascade.
        heads: names of the fitted heads, which follow the cascade.
    """
    names = dict.fromkeys(name for one in entries for name in one["similarities"])
    curves: dict[str, Curve] = {}
    of_heads: dict[str, dict[str, Curve]] = {head: {} for head in heads}
    for name in names:
        rows = [
            [[Similarity(*pair) for pair in network] for network in one["similarities"][name]]
            for one in entries
            if name in one["similarities"]
        ]
        curves[name] = curve_of([row[:num_steps] for row in rows])
        for place, head in enumerate(heads):
            at = num_steps + place
            of_heads[head][name] = curve_of([row[at : at + 1] for row in rows])
    return curves, of_heads


def _all(
    folder: ResultFolder,
    check: SanityCheck,
    images: Mapping[Path, str],
    entries: list[dict[str, Any]],
    problems: list[Problem],
) -> Iterator[int]:
    """Check every image; yields the number of networks that have seen one more."""
    per_image = len(check.steps) + len(check.heads)
    for path, name in images.items():
        if (note := folder.note(_note(name))) is not None:
            entries.append(dict(note))
            yield per_image
            continue
        told = 0
        try:
            for seen in check_image(check.explainer, path, check.networks(), check.seed):
                if seen is None:
                    told += 1
                    yield 1
                    continue
                entry = _entry(path, name, seen)
                if seen.maps:
                    names = [TRAINED, *check.steps, *check.heads]
                    folder.draw(_sheet(name), maps_sheet(seen, names))
                folder.write(_note(name), entry)
                entries.append(entry)
        except WsssError as error:
            problems += left_out(error)
            yield per_image - told


def _entry(path: Path, name: str, seen: Checked) -> dict[str, Any]:
    return {
        "image": str(path),
        "classes": [*seen.class_names],
        "sheet": _sheet(name) if seen.maps else None,
        "similarities": {
            method: [[[*asdict(one).values()] for one in network] for network in networks]
            for method, networks in seen.similarities.items()
        }
        if seen.maps
        else {},
        "left_out": [problem_note(problem) for problem in seen.problems],
    }


def _note(name: str) -> str:
    return f"notes/{name}.json"


def _sheet(name: str) -> str:
    return f"sheets/{name}.png"
