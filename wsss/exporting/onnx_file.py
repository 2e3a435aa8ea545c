"""ONNX files: a network for other runtimes."""

import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from torch.export import ExportedProgram

from wsss.artifacts import atomic
from wsss.errors import user_error
from wsss.exporting.programs import INPUT, free_dimensions

OPSET = 18
"""Version of ONNX's operators: runtimes since 2023 have it."""
LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
CLASS_NAMES = "class_names"
"""Key of a file's metadata: the names of the classes in the outputs' order, as JSON."""


def check_libraries() -> None:
    """Make sure that ONNX files can be written and checked.

    Raises:
        WsssError: a library is missing.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise user_error(
            "formats=onnx", f"no {' and no '.join(missing)} is installed", ", ".join(LIBRARIES),
            "Install them with `pip install 'wsss[onnx]'`, or leave ONNX out: "
            "`formats=safetensors,torch_export`.",
        )  # fmt: skip


def save_onnx(
    path: Path, program: ExportedProgram, outputs: Sequence[str], class_names: Sequence[str]
) -> None:
    """Write a program as `.onnx`; the same program gives the same bytes.

    Args:
        path: the file.
        program: takes images of any number and size.
        outputs: names of its outputs, in their order.
        class_names: of the channels of its logits.
    """
    import onnx
    import torch

    converted = torch.onnx.export(
        program,
        dynamo=True,
        dynamic_shapes=(free_dimensions(1),),  # For their names.
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=list(outputs),
        verbose=False,
    )
    assert converted is not None
    model = converted.model_proto
    inner = (node for function in model.functions for node in function.node)
    for part in (*model.graph.node, *model.graph.value_info, *inner):
        del part.metadata_props[:]  # Traces, with this machine's paths.
        part.doc_string = ""
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    model.metadata_props.add(
        key=CLASS_NAMES, value=json.dumps(list(class_names), ensure_ascii=False)
    )
    onnx.checker.check_model(model, full_check=True)
    with atomic(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def load_onnx(path: Path) -> Callable[[UInt8[np.ndarray, "b 3 h w"]], list[np.ndarray]]:
    """The function of images to outputs that a file holds, computed on the CPU."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: UInt8[np.ndarray, "b 3 h w"]) -> list[np.ndarray]:
        outputs: list[np.ndarray] = session.run(None, {INPUT: images})
        return outputs

    return run
