"""The mean field's steps by plain torch, on any device: the reference of the Triton kernels."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int32, Int64
from torch import Tensor

from wsss.refine.dense_crf.on_device import simplices
from wsss.refine.dense_crf.on_device.operations import Labelling, Operations, Slice, Sums
from wsss.refine.dense_crf.on_device.rows import Splat
from wsss.refine.dense_crf.on_device.upload import Images, Levels, Unaries
from wsss.refine.dense_crf.packing import Packing


class DenseProblem(NamedTuple):
    """Energies of all unaries at every point, filled up with infinite ones."""

    energies: Float32[Tensor, "n k c"]
    """The logarithm of the channel's number of labels subtracted."""
    shares: Float32[Tensor, "n k c"] | None
    """1 over that number; None: 1 everywhere."""
    slices: tuple[Slice, Slice]
    images: Images
    unaries: Unaries


class TorchOperations(Operations):
    """Sparse rows are bags of fixed width: one call sums a whole row in order."""

    rows_first = True

    def locate(
        self, images: Images, table: Levels, layout: Packing, dimensions: int
    ) -> tuple[Int64[Tensor, "d1 n"], Float32[Tensor, "d1 n"]]:
        """Keys and weights, operation by operation."""
        return simplices.locate(images, table, layout, dimensions)

    def splat(
        self, values: Float32[Tensor, "n d"], rows: Splat, sums: Float32[Tensor, "m d"]
    ) -> None:
        """One call a class of width, then one for the pieces of long rows."""
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

    def blur(
        self,
        source: Float32[Tensor, "m d"],
        target: Float32[Tensor, "m d"],
        neighbours: Int32[Tensor, "r 2"],
    ) -> None:
        """The same arithmetic as the kernel's, in the same order."""
        count = len(neighbours)
        both = F.embedding_bag(neighbours, source, mode="sum")
        torch.add(source[:count], both, alpha=0.5, out=target[:count])

    def prepared(
        self, images: Images, unaries: Unaries, slices: tuple[Slice, Slice]
    ) -> DenseProblem:
        """Energies and shares at every point."""
        shape = (images.starts[-1], unaries.most, unaries.width + 1)
        energies = unaries.energies.new_zeros(shape)
        for image, places in enumerate(unaries.places):
            own = _pixels(energies, images, image)
            for number, (start, count, _) in enumerate(places):
                planes = unaries.energies[start : start + count * len(own)]
                own[:, number, :count] = planes.view(count, -1).T
                own[:, number, count:] = torch.inf
        shares = _shares(images, unaries) if unaries.has_copies else None
        if shares is not None:
            energies += shares.log()
        return DenseProblem(energies, shares, slices, images, unaries)

    def update(
        self, problem: DenseProblem, sums: Sums | None, values: Float32[Tensor, "n d"]
    ) -> None:
        """Padding takes part, whose values the splat does not weigh."""
        found = _probabilities(problem, sums)
        torch.sub(found[..., 1:], found[..., :1], out=values.view_as(found[..., 1:]))

    def posteriors(self, problem: DenseProblem, sums: Sums | None) -> Float32[Tensor, " e"]:
        """Planes of channels from rows of pixels."""
        found = _probabilities(problem, sums)
        planes = torch.empty_like(problem.unaries.energies)
        for image, places in enumerate(problem.unaries.places):
            own = _pixels(found, problem.images, image)
            for number, (start, count, _) in enumerate(places):
                plane = planes[start : start + count * len(own)].view(count, -1)
                plane.copy_(own[:, number, :count].T)
        return planes

    def labels(
        self, problem: DenseProblem, sums: Sums | None, with_confidence: bool
    ) -> Labelling:
        """The first of the highest channels, and its first label."""
        found = _probabilities(problem, sums)
        size, device = problem.unaries.num_pixels, found.device
        labels = torch.empty(size, dtype=torch.uint8, device=device)
        confidence = torch.empty(size, device=device) if with_confidence else None
        for image, places in enumerate(problem.unaries.places):
            own = _pixels(found, problem.images, image)
            for number, (_, count, out) in enumerate(places):
                best, channel = own[:, number, :count].max(dim=1)
                here = slice(out, out + len(own))
                labels[here] = problem.unaries.labels[image, number][channel].to(torch.uint8)
                if confidence is not None:
                    confidence[here] = best
        return Labelling(labels, confidence)


TORCH = TorchOperations()


def _shares(images: Images, unaries: Unaries) -> Float32[Tensor, "n k c"]:
    counts = torch.tensor(images.starts, device=unaries.copies.device).diff()
    size = images.starts[-1]
    return unaries.copies.reciprocal().repeat_interleave(counts, dim=0, output_size=size)


def _probabilities(problem: DenseProblem, sums: Sums | None) -> Float32[Tensor, "n k c"]:
    """The probability of a label of each channel: `q_c ∝ exp(K (q_c − q_0) − u_c)`."""
    logits = -problem.energies
    if sums is not None:
        messages = logits[..., 1:]
        for own, values in zip(problem.slices, sums, strict=True):
            messages += _bags(own.corners, own.weights, values).view(messages.shape)
    found = logits.softmax(dim=-1)
    return found if problem.shares is None else found.mul_(problem.shares)


def _bags(
    columns: Int32[Tensor, "r w"], weights: Float32[Tensor, "r w"], values: Float32[Tensor, "m d"]
) -> Float32[Tensor, "r d"]:
    return F.embedding_bag(columns, values, mode="sum", per_sample_weights=weights)


def _pixels(values: Float32[Tensor, "n k c"], images: Images, image: int) -> Tensor:
    """The rows of an image's pixels, without padding."""
    height, width = images.sizes[image]
    return values[images.starts[image] :][: height * width]
