"""The engine for GPUs: a batch of images is one lattice with disconnected parts."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from wsss.errors import UnsupportedError
from wsss.machine.devices import usable_device
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.refine.dense_crf.packing import KEY_BITS, check_packing, packing
from wsss.refine.dense_crf.torch_batch import (
    PointBatch,
    split_posteriors,
    stack_points,
    stack_unaries,
)
from wsss.refine.dense_crf.torch_kernel import TorchKernel, build_kernel
from wsss.refine.dense_crf.torch_lattice import build_vertices


class TorchEngine(DenseCrfEngine):
    """Mean-field inference by torch on a GPU or the CPU; deterministic on a CPU.

    An iteration takes about twenty asynchronous launches for the whole batch. Labels are those of
    pydensecrf but for near ties. `wsss.refine` does not export this class, as its processes start
    without torch.
    """

    in_batches = True

    def check(self) -> None:
        """Refuse a missing device.

        Raises:
            WsssError: with torch's message.
        """
        usable_device(self.device)

    def _solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    ) -> list[Float32[np.ndarray, "_ h w"]]:
        """Posteriors of several unaries of one image, as a batch of one."""
        (posteriors,) = self._solve_batch([image], [unaries])
        return posteriors

    @torch.inference_mode()
    def _solve_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
    ) -> list[list[Float32[np.ndarray, "_ _ _"]]]:
        """Posteriors of several images of any sizes, whose kernels are built and applied as one.

        A batch too large for 64-bit keys or memory is solved in halves. All images are padded to
        the largest number of channels: sort them by their number of labels. Memory: 600 bytes a
        pixel on scenes and 20 for each channel; 1300 and 70 on noise, where no pixels share
        vertices (measured on a CPU, host memory included).
        """
        if not any(len(several) for _, several in zip(images, unaries, strict=True)):
            return [[] for _ in images]
        points = stack_points(
            images, self.gaussian_sxy_px, self.bilateral_sxy_px, self.bilateral_srgb
        )
        solved = None
        if len(images) == 1 or _has_room(points):
            # Handled after the block, as the error keeps all tensors of the batch alive.
            with suppress(torch.OutOfMemoryError):
                solved = self._solve_points(points, images, unaries)
        if solved is not None:
            return solved
        if len(images) == 1:
            height, width, _ = images[0].shape
            raise UnsupportedError(
                "the dense CRF",
                f"an image of {height} × {width} pixels needs more memory than its device has",
                "one that fits",
                "Lower `max_side_px` (1024 by default), or use an engine for the CPU: NumbaEngine.",
            )
        half = len(images) // 2
        parts = (slice(half), slice(half, None))
        return [one for part in parts for one in self._solve_batch(images[part], unaries[part])]

    def _solve_points(
        self,
        points: PointBatch,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
    ) -> list[list[Float32[np.ndarray, "_ _ _"]]]:
        """Posteriors of images whose points share one lattice."""
        batch = stack_unaries(unaries, points)
        device = torch.device(usable_device(self.device))
        kernels = (
            _kernel(points, points.gaussian, self.gaussian_compat, device),
            _kernel(points, points.bilateral, self.bilateral_compat, device),
        )
        energies = torch.from_numpy(batch.energies).to(device)
        shares = None
        if (batch.shares < 1).any():
            shares = torch.from_numpy(batch.shares[points.image]).to(device)
        posteriors = mean_field(energies, shares, kernels, self.num_iterations)
        return split_posteriors(posteriors.cpu().numpy(), batch, points, images)


def mean_field(
    energies: Float32[Tensor, "n k c"],
    shares: Float32[Tensor, "n k c"] | None,
    kernels: tuple[TorchKernel, TorchKernel],
    num_iterations: int,
) -> Float32[Tensor, "n k c"]:
    """Posteriors of a label of each channel after `num_iterations`.

    With Potts compatibility a label's update is `q_l ∝ exp(K q_l − u_l)`, where K is the sum of the
    kernels, so that labels of equal energies stay equally likely. The probability of a channel is
    the sum over its labels.

    Args:
        energies: unary energies of `k` problems with `c` channels each.
        shares: 1 over the number of labels of a channel; None: 1.
        kernels: those of positions, and of positions and colours.
        num_iterations: mean-field iterations.
    """
    if shares is not None:
        energies = energies + shares.log()
    posteriors = _posteriors(-energies, shares)
    for _ in range(num_iterations):
        values = posteriors.flatten(1)
        messages = kernels[0](values)
        messages += kernels[1](values)
        posteriors = _posteriors(messages.view_as(energies).sub_(energies), shares)
    return posteriors


def _posteriors(
    logits: Float32[Tensor, "n k c"], shares: Float32[Tensor, "n k c"] | None
) -> Float32[Tensor, "n k c"]:
    posteriors = logits.softmax(dim=-1)
    return posteriors if shares is None else posteriors.mul_(shares)


def _kernel(
    points: PointBatch, features: Float32[np.ndarray, "d n"], compat: float, device: torch.device
) -> TorchKernel:
    """The kernel of features."""
    layout = check_packing(packing(features.max(axis=1)))
    vertices = build_vertices(
        torch.from_numpy(features).to(device),
        torch.from_numpy(points.image).to(device),
        torch.from_numpy(points.is_pixel).to(device),
        layout,
    )
    return build_kernel(vertices, layout, compat)


def _has_room(points: PointBatch) -> bool:
    """Whether 64-bit keys and 32-bit indices suffice for a batch."""
    image_bits = (len(points.starts) - 1).bit_length()
    used = max(packing(f.max(axis=1)).num_bits for f in (points.gaussian, points.bilateral))
    most = 3 * 6 * len(points.image)  # every point has six vertices of its own
    return used + image_bits <= KEY_BITS and most < 2**31
