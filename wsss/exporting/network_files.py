"""The files of a network, each of which is compared with the network when it is written."""

import shutil
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsss.artifacts import atomic
from wsss.data.colours import in_unit_range
from wsss.errors import user_error
from wsss.exporting.agreement import MIN_EQUAL, Agreement, agreement, drawn_images
from wsss.exporting.deployed import Deployed, DeployedClassifier, DeployedSegmenter, edge_padded
from wsss.exporting.onnx_file import load_onnx, save_onnx
from wsss.exporting.programs import load_program, save_program, traced
from wsss.models.saved_networks import load_classifier, load_segmenter

BACKGROUND = "background"
PROGRAMS = {"torch_export": ".pt2", "onnx": ".onnx"}
"""Formats that are a program, and the ends of their files' names."""


def export_network(
    kind: str, stage: Path, folder: Path, formats: Collection[str], say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Write the files of a network, unless they are there.

    Args:
        kind: `segmenter` or `classifier`, which is the files' name.
        stage: folder of the stage that trained it.
        folder: of the export.
        formats: `safetensors`, `onnx`, `torch_export`.
        say: told what is computed next.

    Returns:
        for each program its smallest image's side in pixels, and how it agrees with the network.

    Raises:
        UnsupportedError: the network cannot be a program for images of any size.
        WsssError: what was written does not agree with the network; the file is removed.
    """
    if "safetensors" in formats:
        for ending in (".json", ".safetensors"):
            with atomic(folder / f"{kind}{ending}") as temporary:
                shutil.copyfile(stage / f"{kind}{ending}", temporary)
    wanted = {folder / f"{kind}{end}": one for one, end in PROGRAMS.items() if one in formats}
    if not wanted:
        return {}
    network, deployed, labels = _networks(kind, stage)
    program = None
    checks = {}
    for path, form in wanted.items():
        if not path.is_file():
            say(f"{path.name}: tracing and writing, half a minute")
            program = program or traced(deployed)
            if form == "onnx":
                save_onnx(path, program, deployed.outputs, labels)
            else:
                save_program(path, program)
        say(f"{path.name}: comparing with torch")
        found = asdict(checked(path, network, kind == "segmenter"))
        checks[path.name] = {"min_side_px": deployed.min_side_px, **found}
    return checks


def checked(path: Path, network: Callable[[Tensor], Tensor], one_label: bool) -> Agreement:
    """How a file agrees with its network on three drawn images.

    Args:
        path: an `.onnx` or `.pt2` file.
        network: 8-bit images to logits.
        one_label: whether the largest logit decides, instead of every positive one.

    Raises:
        WsssError: it does not; the file is removed.
    """
    found = agreement(network, _logits_of(path), [*drawn_images()], one_label)
    if not found.good:
        path.unlink()
        raise user_error(
            path,
            f"other results than the network in torch: {100 * found.equal:.2f} % of the decisions "
            f"are equal, logits differ by up to {found.max_difference:.2g}; the file is removed",
            f"{100 * MIN_EQUAL} % and differences of rounding",
            "Leave this format out, and tell the authors of wsss the versions of torch and ONNX.",
        )
    return found


def _logits_of(path: Path) -> Callable[[Tensor], Tensor]:
    if path.suffix == ".onnx":
        run = load_onnx(path)
        return lambda images: torch.from_numpy(run(images.numpy())[0])
    program = load_program(path)
    return lambda images: program(images)[0]


def _networks(
    kind: str, stage: Path
) -> tuple[Callable[[Tensor], Tensor], Deployed, tuple[str, ...]]:
    """A network on 8-bit images, as it is exported, and the names of its logits."""
    if kind == "segmenter":
        segmenter, names = load_segmenter(stage)
        return _of_bytes(segmenter), DeployedSegmenter(segmenter), (BACKGROUND, *names)
    classifier, names = load_classifier(stage)
    deployed = DeployedClassifier(classifier)

    def logits(images: Tensor) -> Tensor:
        seen: Tensor = classifier(edge_padded(in_unit_range(images), deployed.stride))
        return seen

    return logits, deployed, names


def _of_bytes(network: nn.Module) -> Callable[[Tensor], Tensor]:
    def logits(images: Tensor) -> Tensor:
        found: Tensor = network(in_unit_range(images))
        return found

    return logits
