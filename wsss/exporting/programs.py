"""Programs of `torch.export`: a network that torch alone can load."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from wsss.artifacts import atomic
from wsss.errors import UnsupportedError
from wsss.exporting.deployed import Deployed

INPUT = "images"


def free_dimensions(min_side_px: int) -> dict[int, Dim]:
    """The dimensions of the input that are not fixed."""
    sides = {2: Dim("height", min=min_side_px), 3: Dim("width", min=min_side_px)}
    return {0: Dim("batch", min=1), **sides}


def traced(network: Deployed) -> ExportedProgram:
    """The program of a network for any number and size of images.

    Raises:
        UnsupportedError: it cannot be traced for sizes that are not known yet.
    """
    from torch._dynamo.exc import UserError

    sides = (4 * network.stride + 6, 5 * network.stride + 10)
    example = torch.zeros(2, 3, *sides, dtype=torch.uint8)
    free = free_dimensions(network.min_side_px)
    export = partial(torch.export.export, network.eval(), (example,), dynamic_shapes=(free,))
    try:
        with torch.no_grad():
            try:
                program = export()
            except UserError:
                # torch asks for proofs such as that no side of a map divides 1. The program can
                # look for itself.
                program = export(prefer_deferred_runtime_asserts_over_guards=True)
    except Exception as error:  # Tracing runs the network's code, which can raise anything.
        said = str(error).strip().partition("\n")[0]
        raise UnsupportedError(
            "network",
            f"torch.export cannot trace it for images of any size ({type(error).__name__}: {said})",
            "a convolutional network, such as tf_efficientnet_lite0 or resnet50",
            "Export the weights alone: `formats=safetensors`.",
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # It has this machine's paths.
    return program


def save_program(path: Path, program: ExportedProgram) -> None:
    """Write a program as `.pt2`; the same program gives the same bytes."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        torch.export.save(program, stream)


def load_program(path: Path) -> Callable[[torch.Tensor], tuple[torch.Tensor, ...]]:
    """The function of images to outputs that a file holds."""
    return torch.export.load(path).module()
