"""The mean field's steps by plain torch, on any device: the reference of the Triton kernels."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int32, Int64
from torch import Tensor

from wsss.refine.dense_crf.on_device import simplices
from wsss.refine.dense_crf.on_device.operations import Labelling, Operations, Slice, Sums
from wsss.refine.dense_crf.on_device.rows import Splat
from wsss.refine.dense_crf.on_device.upload import Images, Levels, Unaries, send
from wsss.refine.dense_crf.packing import Packing

SHORT_ROW = 4


class DenseUnary(NamedTuple):
    """One unary of every image: its energies at every point; all have as many channels."""

    energies: Float32[Tensor, "n c"]
    """The logarithm of the channel's number of labels subtracted."""
    shares: Float32[Tensor, "n c"] | None
    """1 over that number; None: 1 everywhere."""
    columns: slice
    """Of values and sums: the channels but the first."""


class DenseProblem(NamedTuple):
    """Energies as rows of points."""

    dense: tuple[DenseUnary, ...]
    slices: tuple[Slice, Slice]
    images: Images
    unaries: Unaries

    @property
    def num_channels(self) -> int:
        """Columns of values and sums."""
        return sum(one.energies.shape[1] - 1 for one in self.dense)


class TorchOperations(Operations):
    """Sparse rows are bags of fixed width: one call sums a whole row in order."""

    rows_first = True
    fills_up = False  # torch's soft-max of a row has other bytes when the row is longer

    def locate(
        self, images: Images, table: Levels, layout: Packing, dimensions: int
    ) -> tuple[Int64[Tensor, "d1 n"], Float32[Tensor, "d1 n"]]:
        """Keys and weights, operation by operation."""
        return simplices.locate(images, table, layout, dimensions)

    def splat(
        self, values: Float32[Tensor, "n d"], rows: Splat, num_vertices: int
    ) -> Float32[Tensor, "m d"]:
        """One call a class of width, then one for the pieces of long rows."""
        sums = values.new_zeros(num_vertices, values.shape[1])
        for short in rows.short:
            sums[short.targets] = _bags(short.points, short.weights, values)
        if len(rows.long_targets):
            pieces = _bags(rows.pieces.points, rows.pieces.weights, values)
            sums[rows.long_targets] = F.embedding_bag(
                rows.pieces.targets,
                pieces,
                rows.long_starts,
                mode="sum",
                include_last_offset=True,
            )
        return sums

    def blur(
        self, sums: Float32[Tensor, "m d"], neighbours: Int32[Tensor, "r 2"]
    ) -> Float32[Tensor, "r d"]:
        """The same arithmetic as the kernel's, in the same order."""
        both = F.embedding_bag(neighbours, sums, mode="sum")
        return torch.add(sums[: len(neighbours)], both, alpha=0.5, out=both)

    def prepared(
        self, images: Images, unaries: Unaries, slices: tuple[Slice, Slice]
    ) -> DenseProblem:
        """Energies and shares at every point; those of padding are 0."""
        dense, column = [], 0
        for number in range(unaries.most):
            count = unaries.places[0][number][1]
            energies = unaries.energies.new_zeros(images.starts[-1], count)
            for image, places in enumerate(unaries.places):
                start = places[number][0]
                own = _pixels(energies, images, image)
                own.copy_(unaries.energies[start : start + own.numel()].view(count, -1).T)
            shares = None
            if unaries.has_copies:
                shares = _at_points(unaries.copies[:, number, :count].reciprocal(), images)
                energies += shares.log()
            dense.append(DenseUnary(energies, shares, slice(column, column + count - 1)))
            column += count - 1
        return DenseProblem(tuple(dense), slices, images, unaries)

    def update(
        self, problem: DenseProblem, sums: Sums | None, values: Float32[Tensor, "n d"]
    ) -> None:
        """Padding takes part, whose values the splat does not weigh."""
        for one, found in zip(problem.dense, _probabilities(problem, sums), strict=True):
            torch.sub(found[:, 1:], found[:, :1], out=values[:, one.columns])

    def posteriors(self, problem: DenseProblem, sums: Sums | None) -> Float32[Tensor, " e"]:
        """Planes of channels from rows of pixels."""
        planes = torch.empty_like(problem.unaries.energies)
        for number, found in enumerate(_probabilities(problem, sums)):
            for image, places in enumerate(problem.unaries.places):
                own = _pixels(found, problem.images, image)
                start = places[number][0]
                planes[start : start + own.numel()].view(own.shape[1], -1).copy_(own.T)
        return planes

    def labels(self, problem: DenseProblem, sums: Sums | None, with_confidence: bool) -> Labelling:
        """The first of the highest channels, and its first label."""
        unaries, images = problem.unaries, problem.images
        labels = torch.empty(unaries.num_pixels, dtype=torch.uint8, device=images.pixels.device)
        confidence = unaries.energies.new_empty(unaries.num_pixels) if with_confidence else None
        for number, found in enumerate(_probabilities(problem, sums)):
            best, channel = found.max(dim=1)
            for image, places in enumerate(unaries.places):
                own, start = _pixels(channel, images, image), places[number][2]
                here = slice(start, start + len(own))
                labels[here] = unaries.labels[image, number][own].to(torch.uint8)
                if confidence is not None:
                    confidence[here] = _pixels(best, images, image)
        return Labelling(labels, confidence)


TORCH = TorchOperations()


def _probabilities(problem: DenseProblem, sums: Sums | None) -> list[Float32[Tensor, "n c"]]:
    """The probability of a label of each channel: `q_c ∝ exp(K (q_c − q_0) − u_c)`."""
    logits = [-one.energies for one in problem.dense]
    for own, values in zip(problem.slices, sums or (), strict=sums is not None):
        messages = _bags(own.corners, own.weights, values)
        for one, rows in zip(problem.dense, logits, strict=True):
            rows[:, 1:].add_(messages[:, one.columns])
    found = [_soft_max(rows) for rows in logits]
    return [
        rows if one.shares is None else rows.mul_(one.shares)
        for one, rows in zip(problem.dense, found, strict=True)
    ]


def _soft_max(logits: Float32[Tensor, "n c"]) -> Float32[Tensor, "n c"]:
    """Torch's own is slow for short rows."""
    if logits.shape[1] > SHORT_ROW:
        return logits.softmax(dim=1)
    likely = (logits - logits.amax(dim=1, keepdim=True)).exp_()
    total = likely[:, 0]
    for column in likely.T[1:]:  # in order, however many points there are
        total = total + column
    return likely.div_(total[:, None])


def _at_points(values: Float32[Tensor, "b c"], images: Images) -> Float32[Tensor, "n c"]:
    counts = send(np.diff(images.starts), values.device)
    return values.repeat_interleave(counts, dim=0, output_size=images.starts[-1])


def _bags(
    columns: Int32[Tensor, "r w"], weights: Float32[Tensor, "r w"], values: Float32[Tensor, "m d"]
) -> Float32[Tensor, "r d"]:
    return F.embedding_bag(columns, values, mode="sum", per_sample_weights=weights)


def _pixels(values: Tensor, images: Images, image: int) -> Tensor:
    """The rows of an image's pixels, without padding."""
    height, width = images.sizes[image]
    return values[images.starts[image] :][: height * width]
