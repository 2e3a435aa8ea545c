"""How exactly torch computes in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

# Attributes that are made at run time, which no type checker sees.
_memory: Any = torch.utils.deterministic
_cudnn: Any = torch.backends.cudnn
_products: Any = torch.backends.cuda.matmul
_mkldnn: Any = torch.backends.mkldnn

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
CUBLAS_WORKSPACE = ":4096:8"
"""One of the two sizes of workspace with which cuBLAS sums in the same order each time."""


def set_numerics(deterministic: bool, warn_only: bool, benchmark: bool, tf32: bool) -> None:
    """Let all stages of a run compute alike, whether or not one of them trains.

    Lightning sets the first three for training alone, in a process that may find it finished.

    Args:
        deterministic: take kernels that give the same bytes each time, where there are some.
        warn_only: warn of operations that have none, instead of refusing them.
        benchmark: let cuDNN try several algorithms on each new shape.
        tf32: let a GPU round the factors of products in float32 to 10 bits. Off, float32 is what it
            is on a CPU; torch's own default rounds them in convolutions.
    """
    if deterministic:  # Read when cuBLAS is first used.
        os.environ.setdefault(CUBLAS, CUBLAS_WORKSPACE)
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
    # For programs that read what they never wrote, which costs all others a second writing.
    _memory.fill_uninitialized_memory = False
    _cudnn.deterministic = deterministic
    _cudnn.benchmark = benchmark
    # Torch has older and newer words for the same, and refuses to tell the older ones where the
    # newer say something else, which Lightning asks for: both are set.
    torch.set_float32_matmul_precision("highest")  # On a CPU, too.
    _products.allow_tf32 = tf32
    _cudnn.allow_tf32 = tf32
    for one in (_cudnn.conv, _cudnn.rnn):
        one.fp32_precision = "tf32" if tf32 else "ieee"


@contextmanager
def numerics_kept() -> Iterator[None]:
    """Give torch's settings back as they were before the block."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    flags, filled = (_cudnn.deterministic, _cudnn.benchmark), _memory.fill_uninitialized_memory
    parts = (_products, _mkldnn.matmul, _cudnn.conv, _cudnn.rnn)
    precisions = [part.fp32_precision for part in parts]
    products = convolutions = None
    with suppress(RuntimeError):  # Where the user has set the newer ones alone.
        products = torch.get_float32_matmul_precision()
    with suppress(RuntimeError):
        convolutions = _cudnn.allow_tf32
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        _cudnn.deterministic, _cudnn.benchmark = flags
        _memory.fill_uninitialized_memory = filled
        if products is not None:
            torch.set_float32_matmul_precision(products)
        if convolutions is not None:
            _cudnn.allow_tf32 = convolutions
        for part, precision in zip(parts, precisions, strict=True):
            part.fp32_precision = precision


@contextmanager
def any_order() -> Iterator[None]:
    """Let torch take its fastest kernels in the block, whose results depend on no order.

    Its deterministic kernels sort what they write, also where each place is written once.
    """
    if not torch.are_deterministic_algorithms_enabled():
        yield  # The switch alone would load torch's compiler.
        return
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=warn_only)
