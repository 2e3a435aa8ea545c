"""Mean-field iterations on a device, for a group of images with one or more unaries each.

With Potts compatibility a label's update is `q_l ∝ exp(K q_l − u_l)`, where K is the sum of both
kernels. Only differences from the first channel matter, `K (q_c − q_0)`, so that C − 1 channels are
filtered: exactly as many as are free, without a kernel of ones to normalise by.
"""

from typing import NamedTuple

import torch
from jaxtyping import Int32
from torch import Tensor

from wsss.refine.dense_crf.on_device.lattice import Lattice, moved
from wsss.refine.dense_crf.on_device.operations import Operations, Problem, Slice, Sums
from wsss.refine.dense_crf.on_device.rows import Splat, joined


class Kernels(NamedTuple):
    """Both kernels as one lattice: that of positions and colours, then that of positions."""

    splat: Splat
    blurs: tuple[Int32[Tensor, "m 2"], ...]
    """Neighbours along each axis; of the axes that positions have none of, their vertices lack."""
    slices: tuple[Slice, Slice]
    """Of positions, and of positions and colours."""
    num_points: int
    num_vertices: int
    """With the null vertex."""


def both_kernels(near: Lattice, alike: Lattice, num_points: int, rows_first: bool) -> Kernels:
    """Join the lattices of positions, whose vertices follow, and of positions and colours."""
    added = alike.num_vertices - 1
    following = moved(near.neighbours[:, 1:], added)
    blurs = [
        torch.cat([own, following[axis]]) if axis < len(following) else own
        for axis, own in enumerate(alike.neighbours)
    ]
    return Kernels(
        joined([alike.splat, near.splat], [0, 0], [0, added], rows_first),
        tuple(blurs),
        (Slice(near.corners + added, near.weights), Slice(alike.corners, alike.weights)),
        num_points,
        added + near.num_vertices,
    )


def last_sums(
    problem: Problem, kernels: Kernels, operations: Operations, num_iterations: int
) -> Sums | None:
    """Blurred values of the vertices after all iterations but the soft-max of the last one.

    An iteration is one launch for the splat, one for the pieces of long rows, six blurs, and one
    for slices, soft-max and differences.

    Args:
        problem: from `Operations.prepared`.
        kernels: of the same images.
        operations: how to compute.
        num_iterations: 0 gives None.
    """
    sums = None
    device = kernels.slices[0].weights.device
    # Padding has a row, too, which stays 0.
    values = torch.zeros(kernels.num_points, problem.num_channels, device=device)
    for _ in range(num_iterations):
        operations.update(problem, sums, values)
        blurred = near = operations.splat(values, kernels.splat, kernels.num_vertices)
        for neighbours in kernels.blurs:
            blurred = operations.blur(blurred, neighbours)
            # The last that the vertices of positions take part in.
            near = blurred if len(blurred) == kernels.num_vertices else near
        sums = (near, blurred)
    return sums
