"""From a request to explanations: the classifier, the methods that can explain it, the run."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from wsss.artifacts import file_digest, fingerprint
from wsss.cams.core.method import CamMethod
from wsss.cams.core.needs import Need, lacking, offers
from wsss.errors import Problem, Severity, WsssError, unknown_word, user_error
from wsss.explain import images as explain
from wsss.explain.catalogue import GROUP, Entry, catalogue
from wsss.explain.classes import parse_classes
from wsss.explain.images import Explained
from wsss.explain.request import Request
from wsss.explain.scores import described_protocol, faithfulness_scores
from wsss.explain.subject import Subject
from wsss.machine.devices import usable_device
from wsss.models.cut import CutBackbone
from wsss.models.finished import load_finished, weight_files
from wsss.models.imagenet import imagenet_names
from wsss.models.pretrained import pretrained_classifier
from wsss.models.vision_gnn import VisionGnnBackbone
from wsss.settings.build import build, told_by_setting
from wsss.settings.method_options import configure
from wsss.settings.overrides import check_complete
from wsss.settings.remedies import FOR_EXPLAIN

ALL = "all"
DEFAULT_OUTPUT = Path("runs", "explain")


def run(request: Request, config_dir: Path, visible: bool = True) -> tuple[Path, Explained]:
    """Explain what was asked for; the folder of the results, and what they are.

    Methods that the classifier cannot support are left out, with what would do.

    Args:
        request: what the user asks for.
        config_dir: folder of the configuration files.
        visible: whether to show a progress bar.

    Raises:
        WsssError: the request cannot be met, or nothing could be explained.
    """
    named = None if request.device == "auto" else request.device
    device = usable_device(named)
    entries = catalogue(config_dir)
    chosen = _chosen(request.methods, tuple(entries))
    configs = configure(config_dir, chosen, request.settings)
    subject = subject_of(request)
    choice = parse_classes(request.classes, subject.class_names)
    methods, refused = build_methods(configs, entries, subject, device)
    if not methods:
        raise WsssError(*refused)
    described = {
        "classifier": {"name": subject.title, "weights": request.weights},
        "scales": list(request.factors),
        "flip": request.flip,
        "methods": {
            name: {
                "settings": OmegaConf.to_container(configs[name][GROUP], resolve=True),
                "paper": method.provenance.paper,
                "reconstructed": method.provenance.reconstructed or None,
            }
            for name, method in methods.items()
        },
        "refused": [str(problem) for problem in refused],
    }
    if request.scores:
        described["protocol"] = described_protocol()
    folder = request.output or DEFAULT_OUTPUT / _fingerprint(request, described)
    found = explain.run(
        folder,
        subject,
        methods,
        request.images,
        choice,
        factors=request.factors,
        flip=request.flip,
        device=device,
        scorer=faithfulness_scores if request.scores else None,
        described=described,
        visible=visible,
    )
    found.problems[:0] = refused
    if not found.sheets:
        raise WsssError(*found.problems)
    return folder, found


def build_methods(
    configs: Mapping[str, DictConfig],
    entries: Mapping[str, Entry],
    subject: Subject,
    device: str,
) -> tuple[dict[str, CamMethod], list[Problem]]:
    """The methods that the classifier supports, and why the others are left out.

    Args:
        configs: of a run with each method, by the method's name.
        entries: of the catalogue. What they name as needed is looked at before a method is made,
            for making one may download a network.
        subject: the classifier.
        device: where the methods' own networks are put.
    """
    offered = offers(subject.model)
    methods: dict[str, CamMethod] = {}
    refused: list[Problem] = []
    for name, config in configs.items():
        try:
            with told_by_setting(config, GROUP, FOR_EXPLAIN):
                if missing := entries[name].needs - offered:
                    raise lacking(name, subject.title, [*map(Need, missing)])
                check_complete(OmegaConf.masked_copy(config, GROUP))
                method = _build(name, config)
                method.check(subject.model)  # An option may have added to what is needed.
        except WsssError as error:
            refused += [_left_out(name, problem) for problem in error.problems]
            continue
        for part in vars(method).values():
            if isinstance(part, torch.nn.Module):
                part.to(device).eval()
        methods[name] = method
    return methods, refused


def _left_out(name: str, problem: Problem) -> Problem:
    """Why a method is left out."""
    came = problem.came if problem.where == GROUP else f"{problem.where}: {problem.came}"
    return replace(problem, where=f"--method {name}", came=came, severity=Severity.SKIPPED)


def _build(name: str, config: DictConfig) -> CamMethod:
    """The method of a configuration.

    Raises:
        WsssError: an option has a value that it cannot have, or something cannot be downloaded.
    """
    try:
        return build(config[GROUP], FOR_EXPLAIN)  # type: ignore[no-any-return]
    except InstantiationException as error:
        cause = error.__cause__ or error
        raise user_error(
            name,
            f"it cannot be made: {cause}".splitlines()[0].rstrip("."),
            f"options as in configs/{GROUP}/{name}.yaml",
            f"Set them by `--set {name}:KEY=VALUE`; weights can come from a file.",
        ) from error


def subject_of(request: Request) -> Subject:
    """The classifier that is asked for.

    Raises:
        WsssError: there is none, or images of other scales were asked of one that takes a fixed
            size only.
    """
    if request.checkpoint is not None:
        model, names = load_finished(request.checkpoint)
        cell_px = model.features.output_stride
        assert isinstance(cell_px, int)
        return Subject(str(request.checkpoint), model, names, cell_px, request.side_px)
    assert request.model is not None
    model = pretrained_classifier(request.model, request.weights)
    backbone = model.features
    assert isinstance(backbone, CutBackbone | VisionGnnBackbone)
    names = imagenet_names(model.num_classes)
    if isinstance(backbone, VisionGnnBackbone) or backbone.takes_any_size:
        side_px = request.side_px or backbone.side_px
        return Subject(request.model, model, names, backbone.output_stride, side_px)
    if request.factors != (1.0,) or request.side_px not in (None, backbone.side_px):
        raise user_error(
            "--size" if request.side_px else "--scales",
            f"{request.model} takes images of one size",
            f"{backbone.side_px} × {backbone.side_px} px",
            "Leave --scales and --size out, or use a network that takes any size, such as "
            "timm:resnet50.",
        )
    return Subject(
        request.model, model, names, backbone.output_stride, fixed_side_px=backbone.side_px
    )


def _chosen(asked: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(asked)
    for name in names:
        if name not in (*known, ALL):
            remedy = "Correct the name; `wsss explain --list` shows them all."
            raise unknown_word("--method", "method", name, known, remedy)
    if not names:
        raise user_error("--method", "no method", "some of " + ", ".join(known), "Name one.")
    return known if ALL in names else names


def _fingerprint(request: Request, described: Mapping[str, Any]) -> str:
    """Names the folder of the results: the same call writes to the same place."""
    weights = () if request.checkpoint is None else weight_files(request.checkpoint)
    if request.weights is not None and Path(request.weights).is_file():
        weights = (Path(request.weights),)
    return fingerprint(
        {
            **described,
            "weight_files": [file_digest(file) for file in weights],
            "images": [str(image.absolute()) for image in request.images],
            "classes": request.classes,
            "side_px": request.side_px,
            "scores": request.scores,
        }
    )
