"""The mean field's steps by Triton kernels."""

import os
from typing import Any, NamedTuple

import numpy as np
import torch
import triton
from jaxtyping import Float32, Int32, Int64
from torch import Tensor

from wsss.refine.dense_crf.on_device.operations import Labelling, Operations, Slice, Sums
from wsss.refine.dense_crf.on_device.rows import Splat
from wsss.refine.dense_crf.on_device.upload import Images, Levels, Unaries, send
from wsss.refine.dense_crf.packing import KEY_BITS, Packing, scales
from wsss.refine.dense_crf.triton_kernels import filtering
from wsss.refine.dense_crf.triton_kernels.locate import locate
from wsss.refine.dense_crf.triton_kernels.update import DIFFERENCES, LABELS, POSTERIORS, update

VALUES = 256
"""Numbers that a program computes side by side: two for each thread of four warps. More take so
many registers that fewer programs hide each other's waiting for memory."""


EXACTLY = {"enable_fp_fusion": False}
"""Products and sums are fused where a kernel says so, not as a compiler sees fit: points stay in
the simplices of the other engines, and a sum has the same bytes for any number of channels."""


class PlanarProblem(NamedTuple):
    """Energies as they were copied."""

    slices: tuple[Slice, Slice]
    images: Images
    unaries: Unaries

    @property
    def num_channels(self) -> int:
        """Every unary's, filled up."""
        return self.unaries.most * self.unaries.width


class TritonOperations(Operations):
    """Kernels whose results depend neither on the size of blocks nor on what lies beside."""

    rows_first = False
    fills_up = True

    def __init__(self, values: int = VALUES) -> None:
        """Set how many numbers a program computes: many in the interpreter, a power of two."""
        self.values = values

    def locate(
        self, images: Images, table: Levels, layout: Packing, dimensions: int
    ) -> tuple[Int64[Tensor, "d1 n"], Float32[Tensor, "d1 n"]]:
        """One launch."""
        device, size = images.pixels.device, (dimensions + 1, images.starts[-1])
        keys = torch.empty(size, dtype=torch.int64, device=device)
        weights = torch.empty(size, device=device)
        unit = 1 << layout.num_bits if layout.num_bits < KEY_BITS else 0
        numbers = np.concatenate(
            [layout.low.view(np.uint64), layout.units, np.array([unit], dtype=np.uint64)]
        )
        grid = (triton.cdiv(images.most_points, self.values), len(images.sizes))
        locate[grid](
            images.pixels,
            images.table,
            table.positions,
            table.colours,
            send(scales(dimensions), device),
            send(numbers.view(np.int64), device),
            keys,
            weights,
            size[1],
            DIMENSIONS=dimensions,
            BLOCK=self.values,
            **EXACTLY,
        )
        return keys, weights

    def splat(
        self, values: Float32[Tensor, "n d"], rows: Splat, num_vertices: int
    ) -> Float32[Tensor, "m d"]:
        """One launch for all rows and pieces, and one to join pieces, if there are any."""
        channels = values.shape[1]
        num_rows, padded = self._block(channels)
        sums = values.new_empty(num_vertices, channels)
        pieces = values.new_empty(len(rows.pieces.targets), channels)
        narrow, wide = rows.short
        classes = (narrow, wide, rows.pieces)
        filtering.splat[(sum(triton.cdiv(len(one.targets), num_rows) for one in classes),)](
            values,
            sums,
            pieces,
            *(*narrow, len(narrow.targets)),
            *(*wide, len(wide.targets)),
            *(*rows.pieces[:2], len(pieces)),
            channels,
            ROWS=num_rows,
            CHANNELS=padded,
            **EXACTLY,
        )
        if num_long := len(rows.long_targets):
            filtering.join_pieces[(triton.cdiv(num_long, num_rows),)](
                pieces,
                sums,
                rows.long_targets,
                rows.long_starts,
                num_long,
                channels,
                ROWS=num_rows,
                CHANNELS=padded,
                **EXACTLY,
            )
        return sums

    def blur(
        self, sums: Float32[Tensor, "m d"], neighbours: Int32[Tensor, "r 2"]
    ) -> Float32[Tensor, "r d"]:
        """One launch."""
        num_vertices, channels = len(neighbours), sums.shape[1]
        num_rows, padded = self._block(channels)
        blurred = sums.new_empty(num_vertices, channels)
        filtering.blur[(triton.cdiv(num_vertices, num_rows),)](
            sums,
            blurred,
            neighbours,
            num_vertices,
            channels,
            ROWS=num_rows,
            CHANNELS=padded,
            **EXACTLY,
        )
        return blurred

    def prepared(
        self, images: Images, unaries: Unaries, slices: tuple[Slice, Slice]
    ) -> PlanarProblem:
        """Nothing is computed: the kernel reads the planes."""
        return PlanarProblem(slices, images, unaries)

    def update(
        self, problem: PlanarProblem, sums: Sums | None, values: Float32[Tensor, "n d"]
    ) -> None:
        """One launch."""
        self._update(problem, sums, values, values, DIFFERENCES, False)

    def posteriors(self, problem: PlanarProblem, sums: Sums | None) -> Float32[Tensor, " e"]:
        """One launch."""
        planes = torch.empty_like(problem.unaries.energies)
        self._update(problem, sums, planes, planes, POSTERIORS, False)
        return planes

    def labels(self, problem: PlanarProblem, sums: Sums | None, with_confidence: bool) -> Labelling:
        """One launch."""
        size, energies = problem.unaries.num_pixels, problem.unaries.energies
        labels = torch.empty(size, dtype=torch.uint8, device=energies.device)
        confidence = energies.new_empty(size) if with_confidence else None
        likely = energies if confidence is None else confidence
        self._update(problem, sums, labels, likely, LABELS, with_confidence)
        return Labelling(labels, confidence)

    def _update(
        self,
        problem: PlanarProblem,
        sums: Sums | None,
        output: Tensor,
        confidence: Tensor,
        kind: Any,
        with_confidence: bool,
    ) -> None:
        (near, alike), images, unaries = problem
        block, padded = self._block(unaries.width)
        nothing = unaries.energies
        grid = (triton.cdiv(images.most_points, block), len(images.sizes), unaries.most)
        update[grid](
            *(sums or (nothing, nothing)),
            *near,
            *alike,
            images.starts[-1],
            images.table,
            unaries.energies,
            unaries.table,
            unaries.copies,
            unaries.labels,
            output,
            confidence,
            unaries.most,
            unaries.width,
            HAS_SUMS=sums is not None,
            OUTPUT=kind.value,
            WITH_CONFIDENCE=with_confidence,
            BLOCK=block,
            CHANNELS=padded,
            **EXACTLY,
        )

    def _block(self, channels: int) -> tuple[int, int]:
        """Rows of a program, and its channels, a power of two."""
        padded = triton.next_power_of_2(channels)
        return max(1, self.values // padded), padded


def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


TRITON = TritonOperations(2**16 if _interpreted() else VALUES)
