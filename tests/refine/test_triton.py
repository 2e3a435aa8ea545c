"""Triton's kernels without a GPU: in the interpreter, and compiled for one."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from wsss.refine.dense_crf.on_device.operations import Slice
from wsss.refine.dense_crf.on_device.rows import Rows, Splat
from wsss.refine.dense_crf.on_device.upload import Unary, levels, upload_images, upload_unaries
from wsss.refine.dense_crf.packing import packing
from wsss.refine.dense_crf.points import bilateral_features
from wsss.refine.dense_crf.unaries import shared_channels

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton")

CPU = torch.device("cpu")
POINTERS = {
    torch.float32: "*fp32",
    torch.int32: "*i32",
    torch.int64: "*i64",
    torch.uint8: "*u8",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        "interpreter",
        pytest.param(
            "gpu",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
            ],
        ),
    ],
)
def test_kernels_agree_with_the_other_engines(where):
    file = Path(__file__).with_name("triton_cases.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    environment = {key: word for key, word in os.environ.items() if not key.startswith("PYTEST_")}
    environment["TRITON_INTERPRET"] = "1" if where == "interpreter" else "0"
    answer = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=file.parents[2]
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.fixture
def launches(monkeypatch, tmp_path):
    """Kernels with the arguments that they are launched with, instead of launching them."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton.runtime.jit import JITFunction

    found = []
    monkeypatch.setattr(
        JITFunction,
        "run",
        lambda self, *args, grid, warmup, **named: found.append((self, args, named)),
    )
    return found


def compiled_for_sm_90(kernel, args, named):
    """The kernel compiled as its launch would."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    fused = named.pop("enable_fp_fusion", True)
    values = dict(zip(kernel.arg_names, args, strict=False)) | named
    assert list(values) == kernel.arg_names
    signature, constants, attributes = {}, {}, {}
    for number, param in enumerate(kernel.params):
        value = values[param.name]
        if param.is_constexpr or (
            type(value) is int and value == 1 and not param.do_not_specialize
        ):
            signature[param.name], constants[param.name] = "constexpr", value
            continue
        is_tensor = isinstance(value, torch.Tensor)
        signature[param.name] = POINTERS[value.dtype] if is_tensor else "i32"
        if is_tensor or (value % 16 == 0 and not param.do_not_specialize):
            attributes[number,] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature, constants, attributes)
    options = {"enable_fp_fusion": fused}
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)


@pytest.mark.parametrize("dimensions", [2, 5])
def test_locating_points_compiles_without_contractions(launches, dimensions):
    from wsss.refine.dense_crf.triton_kernels.operations import TRITON

    image = np.full((8, 9, 3), 200, np.uint8)
    layout = packing(bilateral_features(image, 3, 5)[:dimensions].max(axis=1))
    table = levels([(8, 9)], 3, 5, CPU)
    TRITON.locate(upload_images([image], CPU), table, layout, dimensions)
    ((kernel, args, named),) = launches
    assembly = compiled_for_sm_90(kernel, args, named).asm
    assert len(assembly["cubin"]) > 0
    assert "fma" not in assembly["ptx"]
    assert "mad.f32" not in assembly["ptx"]
    # Explicit rounding, which the assembler does not contract either.
    for operation in ("mul.rn.f32", "add.rn.f32", "sub.rn.f32"):
        assert operation in assembly["ptx"]
    for operation in ("mul.f32", "add.f32", "sub.f32"):
        assert f"\t{operation}" not in assembly["ptx"]


@pytest.mark.parametrize("channels", [1, 4, 20, 300])
def test_splat_and_blur_compile(launches, channels):
    from wsss.refine.dense_crf.triton_kernels.operations import TRITON

    def rows(width):
        size = (width, 7)
        number = torch.arange(7, dtype=torch.int32)
        return Rows(torch.zeros(size, dtype=torch.int32), torch.zeros(size), number)

    number = torch.zeros(3, dtype=torch.int32)
    values = torch.zeros(5, channels)
    TRITON.splat(values, Splat((rows(2), rows(8)), rows(32), number[:2], number), 40)
    TRITON.blur(values, torch.zeros(5, 2, dtype=torch.int32))
    assert [kernel.__name__ for kernel, _, _ in launches] == ["splat", "join_pieces", "blur"]
    for launch in launches:
        assert len(compiled_for_sm_90(*launch).asm["cubin"]) > 0


@pytest.mark.parametrize("labels", [2, 5, 21, 256])
def test_updates_compile(launches, unaries, labels):
    from wsss.refine.dense_crf.triton_kernels.operations import TRITON

    images = upload_images([np.zeros((3, 4, 3), np.uint8)], CPU)
    energies = unaries(np.random.default_rng(0), labels, (3, 4))
    sent = upload_unaries([[Unary(energies, *shared_channels(energies))]], CPU)
    slices = (
        Slice(torch.zeros(size, 12, dtype=torch.int32), torch.zeros(size, 12)) for size in (3, 6)
    )
    problem = TRITON.prepared(images, sent, tuple(slices))
    sums = (torch.zeros(9, labels - 1), torch.zeros(9, labels - 1))
    TRITON.update(problem, None, torch.zeros(12, labels - 1))
    TRITON.update(problem, sums, torch.zeros(12, labels - 1))
    TRITON.posteriors(problem, sums)
    TRITON.labels(problem, sums, with_confidence=False)
    TRITON.labels(problem, None, with_confidence=True)
    assert len(launches) == 5
    for launch in launches:
        assert len(compiled_for_sm_90(*launch).asm["cubin"]) > 0
