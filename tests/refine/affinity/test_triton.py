"""Triton's kernels without a GPU, compiled for one; `triton_cases.py` interprets them."""

from importlib.util import find_spec

import pytest
import torch

from wsss.refine.affinity.paths import pair_offsets

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton")


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("maps", [1, 3, 9])
def test_a_step_compiles_to_fused_sums_of_each_thread(launches, compiled_for_sm_90, maps, kind):
    from wsss.refine.affinity.triton_kernels.walk import walk_in_triton

    dtype = {"f32": torch.float32, "f64": torch.float64}[kind]
    scores = torch.zeros(2, maps, 6, 16, dtype=dtype)
    walk_in_triton(scores, torch.zeros(2, len(pair_offsets(5)), 6, 16, dtype=dtype), 5, 10.0, 2)
    degrees, first, second = launches
    assert [args[6] for _, args, _ in launches] == [1, maps, maps]
    assert first[1][0] is second[1][1]
    assert first[1][1] is second[1][0]
    for launch in (degrees, first):
        assembly = compiled_for_sm_90(*launch).asm
        assert len(assembly["cubin"]) > 0
        assert f"fma.rn.{kind}" in assembly["ptx"]
        # No sum is of several threads, and nothing is left to the assembler's choice.
        for word in ("bar.sync", "shfl", "atom", f"add.{kind}", f"mul.{kind}", f"add.rn.{kind}"):
            assert word not in assembly["ptx"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_search_along_paths_compiles(launches, compiled_for_sm_90, dtype):
    from wsss.refine.affinity.triton_kernels.strongest import strongest_steps_in_triton

    row, radius = 20, 5
    strongest_steps_in_triton(torch.zeros(2, (3 + radius) * row, dtype=dtype), 3 * row, row, radius)
    (launch,) = launches
    assert len(compiled_for_sm_90(*launch).asm["cubin"]) > 0
