"""A kernel of the dense CRF as a product of sparse matrices: splat, blur along each axis, slice."""

from typing import NamedTuple

import torch
from jaxtyping import Float32
from torch import Tensor

from wsss.refine.dense_crf.packing import Packing
from wsss.refine.dense_crf.sparse_rows import SparseRows, balanced, compressed, product
from wsss.refine.dense_crf.torch_lattice import Vertices, next_vertices


class TorchKernel(NamedTuple):
    """`compat` times the symmetrically normalised kernel of points, separate for each image."""

    splat: tuple[SparseRows, ...]
    """From points to vertices."""
    blurs: tuple[SparseRows, ...]
    """Along each axis; where vertices are missing, the order matters."""
    slice: SparseRows
    """From vertices to points."""

    def __call__(self, values: Float32[Tensor, "n c"]) -> Float32[Tensor, "n c"]:
        """The kernel times the values at the points."""
        for matrix in (*self.splat, *self.blurs, self.slice):
            values = product(matrix, values)
        return values


def build_kernel(vertices: Vertices, layout: Packing, compat: float) -> TorchKernel:
    """Build the normalised kernel from barycentric weights.

    Splat and slice each include the inverse root of a point's row sum, slice also `compat` and the
    lattice's scale 1 / (1 + 2^-d).
    """
    num_points, num = vertices.corners.shape
    blurs = tuple(_blur(vertices, axis, layout) for axis in range(num))
    corners = torch.arange(0, num_points * num + 1, num, device=vertices.keys.device)
    points = (vertices.entries // num).to(torch.int32)

    def with_weights(splatted: Tensor, sliced: Tensor) -> TorchKernel:
        splat = SparseRows(points, splatted.flatten()[vertices.entries], vertices.offsets)
        slices = SparseRows(vertices.corners.flatten(), sliced.flatten(), corners.to(torch.int32))
        return TorchKernel(balanced(splat), blurs, slices)

    scale = 1 / (1 + 2.0 ** -(num - 1))
    plain = with_weights(vertices.weights, vertices.weights)
    sums = plain(vertices.weights.new_ones(num_points, 1)) * scale
    del plain
    normalised = vertices.weights * torch.rsqrt(sums + 1e-20)
    return with_weights(normalised, normalised * (compat * scale))


def _blur(vertices: Vertices, axis: int, layout: Packing) -> SparseRows:
    """Each vertex plus half of both its neighbours along an axis; missing ones are zero."""
    following, has_following = next_vertices(vertices.keys, axis, layout)
    here = torch.arange(len(following), device=following.device, dtype=torch.int32)
    columns = torch.stack([here, following.to(torch.int32), torch.zeros_like(here)], dim=1)
    exists = torch.stack([torch.ones_like(has_following), has_following, has_following], dim=1)
    # The inverse: a vertex has one predecessor at most.
    previous, after = here[has_following], following[has_following]
    columns[:, 2].scatter_(0, after, previous)
    exists[:, 2] = False
    exists[:, 2].index_fill_(0, after, True)
    return compressed(columns, columns.new_tensor([1, 0.5, 0.5], dtype=torch.float32), exists)
