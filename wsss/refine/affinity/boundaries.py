"""Affinity of pixels from a boundary map."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from wsss.machine.devices import runs_triton
from wsss.refine.affinity.paths import pair_offsets, path

# Shape suffixes: B = batch, H, W = map, K = offsets of `pair_offsets(radius)`.


def boundary_affinity(boundary: Float[Tensor, "b h w"], radius: int) -> Float[Tensor, "b k h w"]:
    """Affinity `1 - max` of the boundary map on the path between two pixels.

    Ahn, Cho and Kwak, Weakly Supervised Learning of Instance Segmentation with Inter-pixel
    Relations, CVPR 2019. Outside the map is boundary: a pair that leaves it has affinity 0.
    The gradient goes to the first strongest pixel of each path.

    Args:
        boundary: probability of a boundary at each pixel, in [0, 1].
        radius: pairs nearer than this, in pixels of the map.

    Returns:
        For every pixel its affinity to each of its neighbours `pair_offsets(radius)`, in [0, 1].
    """
    height, width = boundary.shape[1:]
    reach = radius - 1
    # In flattened padded maps the step to a neighbour is one offset for all pixels, and reads are
    # contiguous. Columns are padded on both sides, rows at the bottom only, where paths lead.
    padded = F.pad(boundary, (reach, reach, 0, radius), value=1.0)
    row = width + 2 * reach
    flat = padded.flatten(1)
    with torch.no_grad():
        first = reach + row * torch.arange(height, device=flat.device)[:, None]
        pixels = first + torch.arange(width, device=flat.device)
        steps = strongest_steps(flat, height * row, row, radius)
        steps = steps.view(len(flat), -1, height, row)[..., reach : reach + width]
        where = (pixels + steps).flatten(1)
    strongest = flat.gather(1, where).view(-1, steps.shape[1], height, width)
    return 1 - strongest


def strongest_steps(
    flat: Float[Tensor, "b m"], length: int, row: int, radius: int
) -> Int64[Tensor, "b k _"]:
    """Steps in memory from each value to the first strongest on the path to each neighbour.

    On CUDA this is one launch of a kernel where Triton is installed, else thousands: three for each
    pixel of every path.

    Args:
        flat: padded maps in raster order, a row longer than `length` for every step down.
        length: number of values to start from.
        row: values in a row.
        radius: pairs nearer than this.
    """
    if flat.is_cuda and runs_triton(flat.device):
        from wsss.refine.affinity.triton_kernels.strongest import strongest_steps_in_triton

        return strongest_steps_in_triton(flat, length, row, radius)
    return strongest_steps_in_torch(flat, length, row, radius)


def strongest_steps_in_torch(
    flat: Float[Tensor, "b m"], length: int, row: int, radius: int
) -> Int64[Tensor, "b k _"]:
    """As `strongest_steps`, on any device."""
    reach = radius - 1
    start = F.pad(flat, (reach, 0), value=1.0)  # So that a step to the left stays inside.
    better = torch.empty_like(flat[:, :length], dtype=torch.bool)
    steps = []
    for offset in pair_offsets(radius):
        best = flat[:, :length].clone()
        step = torch.zeros_like(best, dtype=torch.int32)
        for down, right in path(offset):
            distance = down * row + right
            value = start[:, reach + distance : reach + distance + length]
            torch.gt(value, best, out=better)
            step.masked_fill_(better, distance)
            torch.maximum(best, value, out=best)
        steps.append(step)
    return torch.stack(steps, dim=1).long()
