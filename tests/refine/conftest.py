"""Images and unaries that engines of the dense CRF are compared on, and what "the same" means.

Likewise what Triton's kernels need to be interpreted, or compiled for a GPU that is not there.
"""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from wsss.refine import PydensecrfEngine
from wsss.refine.dense_crf.unaries import energies_from_softmax

SCRIPTS = Path(__file__).parents[2] / "scripts"


def _smooth(rng, shape, sigma):
    return cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), sigma) * sigma


def _scene(rng, size):
    patches = (
        sum(_smooth(rng, (*size, 3), 12) * 60 > level for level in (-40, 0, 40)) * 60
        + _smooth(rng, (*size, 3), 30) * 20
    )
    return (patches + rng.normal(scale=2, size=patches.shape) + 40).clip(0, 255).astype(np.uint8)


def _unaries(rng, num_labels, size, strength=3.0):
    logits = np.stack([_smooth(rng, size, 8) * strength for _ in range(num_labels)])
    exponential = np.exp(logits - logits.max(axis=0))
    return energies_from_softmax(exponential / exponential.sum(axis=0))


def _assert_same(found, expected):
    assert np.abs(found - expected).max() <= 1e-3
    top = np.sort(expected, axis=0)[-2:]
    differs = found.argmax(axis=0) != expected.argmax(axis=0)
    # Where two labels are equally likely to the last digits, either is right.
    assert (top[-1] - top[0])[differs].max(initial=0) <= 1e-3
    assert differs.sum() <= max(1, 1e-4 * differs.size)


@pytest.fixture
def following(monkeypatch):
    """Each vertex's next along every axis of a lattice, 0 where there is none."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from crf_benchmark.in_float64 import following

    return following


@pytest.fixture
def scene():
    """Patches of colour with soft shading and noise: what generated data has of a photograph."""
    return _scene


@pytest.fixture
def unaries():
    """Energies of smooth random scores, from (rng, num_labels, size)."""
    return _unaries


@pytest.fixture
def assert_same():
    """Posteriors agree to 1e-3, and so do labels but for one in 10,000, at near ties."""
    return _assert_same


@pytest.fixture
def in_float64(monkeypatch):
    """Posteriors by the same iterations on the same lattices in float64, step by step.

    Called with (image, energies, options). Rounding to float32 grows where labels are nearly tied,
    in every engine: this tells whose it is.
    """
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from crf_benchmark.in_float64 import posteriors_in_float64

    return lambda image, energies, options: posteriors_in_float64(
        PydensecrfEngine(**options), image, energies
    )


@pytest.fixture
def image_of(scene):
    """Draws an image of a kind: scene, constant, checkerboard, noise."""

    def draw(kind, rng, size):
        if kind == "scene":
            return scene(rng, size)
        if kind == "constant":
            return np.full((*size, 3), 90, np.uint8)
        if kind == "checkerboard":
            squares = np.indices(size).sum(axis=0) % 2 * 255
            return np.repeat(squares[..., None], 3, axis=2).astype(np.uint8)
        return rng.integers(0, 256, (*size, 3), dtype=np.uint8)

    return draw


@pytest.fixture(
    params=[
        "interpreter",
        pytest.param(
            "gpu",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
            ],
        ),
    ]
)
def pass_with_triton(request):
    """Pass files of tests in a process of its own, as Triton is told to interpret beforehand."""

    def check(*files):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)]
        environment = {k: word for k, word in os.environ.items() if not k.startswith("PYTEST_")}
        environment["TRITON_INTERPRET"] = "1" if request.param == "interpreter" else "0"
        root = Path(__file__).parents[2]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=root)
        assert answer.returncode == 0, answer.stdout + answer.stderr

    return check


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


@pytest.fixture
def compiled_for_sm_90():
    """Compile a kernel as its launch would."""
    return _compiled_for_sm_90


POINTERS = {
    torch.float32: "*fp32",
    torch.float64: "*fp64",
    torch.int32: "*i32",
    torch.int64: "*i64",
    torch.uint8: "*u8",
}


def _compiled_for_sm_90(kernel, args, named):
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
