"""From a request to explanations: methods from their configurations, the classifier, the run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf

from wsss.artifacts import file_digest, fingerprint
from wsss.cam.method import CamMethod
from wsss.cam.needs import Need, all_of, offers
from wsss.devices import usable_device
from wsss.errors import Problem, Severity, WsssError, unknown_word, user_error
from wsss.explain.catalogue import GROUP, Entry, catalogue
from wsss.explain.classes import parse_classes
from wsss.explain.command import Request, Setting
from wsss.explain.scores import described_protocol, faithfulness_scores
from wsss.explain.subject import Subject
from wsss.models.cut import CutBackbone
from wsss.models.finished import load_finished, weight_files
from wsss.models.imagenet import imagenet_names
from wsss.models.pretrained import pretrained_classifier
from wsss.models.vision_gnn import VisionGnnBackbone
from wsss.overrides import check_complete, check_kinds, setting_names
from wsss.pipeline import build
from wsss.stages import explain
from wsss.stages.explain import Explained

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
    device = usable_device(named, f"--device {request.device}", "--device")
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


def configure(
    config_dir: Path, methods: Iterable[str], settings: Iterable[Setting]
) -> dict[str, DictConfig]:
    """The configuration of a run with each of the methods, their options set.

    Raises:
        WsssError: a setting is of no method, or its value cannot be read or is of another kind.
    """
    names, own = list(methods), list(settings)
    defaults = _compose(config_dir, dict.fromkeys(names, ()))
    # Which class it is makes the method, and is none of its options.
    known = {
        name: {one for one in setting_names(config[GROUP]) if not one.endswith("_target_")}
        for name, config in defaults.items()
    }
    problems: list[Problem] = []
    overrides: dict[str, list[str]] = {name: [] for name in names}
    for setting in own:
        if setting.method is not None and setting.method not in names:
            raise unknown_word(
                f"--set {setting}", "method in --method called", setting.method, names,
                "Add it to --method, or correct the name.",
            )  # fmt: skip
        asked = names if setting.method is None else [setting.method]
        having = [name for name in asked if setting.key in known[name]]
        if not having:
            raise _no_option(setting, asked, sorted(set().union(*(known[name] for name in asked))))
        for name in having:
            word = f"{GROUP}.{setting.key}={setting.value}"
            overrides[name].append(word)
            try:
                wrong = check_kinds(defaults[name], [word])
            except WsssError as error:
                wrong = list(error.problems)
            problems += [replace(problem, where=f"--set {setting}") for problem in wrong]
    if problems:
        raise WsssError(*dict.fromkeys(problems))
    try:
        return _compose(config_dir, overrides)
    except HydraException as error:
        raise user_error(
            "--set " + " --set ".join(map(str, own)),
            str(error).splitlines()[0],
            "a value as in a configuration: `3`, `true`, `name`, `[a,b]`",
            "Quote what is special to Hydra: `--set 'key=\"a b\"'`.",
        ) from error


def _no_option(setting: Setting, methods: Iterable[str], options: Sequence[str]) -> WsssError:
    """The answer to a setting that none of the methods it is for has."""
    where, named = f"--set {setting}", ", ".join(methods)
    if options:
        remedy = "Correct the name; `configs/cam/` describes the options."
        return unknown_word(where, f"option of {named} called", setting.key, options, remedy)
    return user_error(
        where, f"an option of {named}", "none: there are no options", "Leave it out."
    )  # fmt: skip


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
        if missing := entries[name].needs - offered:
            refused.append(_lacking(name, subject, map(Need, missing)))
            continue
        try:
            check_complete(OmegaConf.masked_copy(config, GROUP))
            method = _build(name, config)
            if missing := method.needs - offered:  # An option has added to what is needed.
                refused.append(_lacking(name, subject, missing))
                continue
            method.check(subject.model)
        except WsssError as error:
            refused += [
                Problem(f"--method {name}", p.came, p.expected, p.remedy, Severity.SKIPPED)
                for p in error.problems
            ]
            continue
        for part in vars(method).values():
            if isinstance(part, torch.nn.Module):
                part.to(device).eval()
        methods[name] = method
    return methods, refused


def _lacking(name: str, subject: Subject, missing: Iterable[Need]) -> Problem:
    """What a method misses in the classifier, and what to name instead of it."""
    came, words = f"{subject.title} is none that it can explain", all_of(frozenset(missing))
    return Problem(f"--method {name}", came, words.meaning, words.explain, Severity.SKIPPED)


def _build(name: str, config: DictConfig) -> CamMethod:
    """The method of a configuration.

    Raises:
        WsssError: an option has a value that it cannot have, or something cannot be downloaded.
    """
    try:
        return build(config[GROUP])  # type: ignore[no-any-return]
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


def _compose(config_dir: Path, overrides: Mapping[str, Iterable[str]]) -> dict[str, DictConfig]:
    """The configuration of a run with each method and its overrides."""
    with initialize_config_dir(str(config_dir), version_base="1.3"):
        return {
            name: compose("run", overrides=[f"{GROUP}={name}", *own])
            for name, own in overrides.items()
        }


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
