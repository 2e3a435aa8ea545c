"""Triton's kernels without a GPU: in the interpreter, and compiled for one."""

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


@pytest.mark.slow
def test_kernels_agree_with_other_ways_to_compute(pass_with_triton):
    pass_with_triton(*sorted(Path(__file__).parent.rglob("triton_cases.py")))


@pytest.mark.parametrize("dimensions", [2, 5])
def test_locating_points_compiles_without_contractions(launches, compiled_for_sm_90, dimensions):
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
def test_splat_and_blur_compile(launches, compiled_for_sm_90, channels):
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
def test_updates_compile(launches, compiled_for_sm_90, unaries, labels):
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
