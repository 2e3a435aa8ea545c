"""The engine for GPUs: a group of images is one lattice with disconnected parts."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from wsss.argument_checks import check_whole
from wsss.errors import InvalidOptionError, UnsupportedError
from wsss.machine.devices import device_name, runs_triton, usable_device
from wsss.machine.memory import out_of_memory
from wsss.machine.numerics import any_order
from wsss.refine.dense_crf.engine import DenseCrfEngine, Labels
from wsss.refine.dense_crf.on_device import solver
from wsss.refine.dense_crf.on_device.grouping import groups_of
from wsss.refine.dense_crf.on_device.operations import Operations
from wsss.refine.dense_crf.on_device.solver import Found, Settings, Wanted
from wsss.refine.dense_crf.on_device.torch_operations import TORCH
from wsss.refine.dense_crf.on_device.upload import Unary
from wsss.refine.dense_crf.unaries import shared_channels

GROUP_PX = 4_000_000
"""Pixels that a GPU solves together: enough that launches take less time than what they start.

Smaller groups stay in a GPU's cache; which of both is faster is for `benchmark_crf_gpu.py --groups`
to tell, and not measured yet.
"""

KERNELS = ("auto", "triton", "torch")


class TorchEngine(DenseCrfEngine):
    """Mean-field inference by torch on any device, by Triton kernels on CUDA.

    Labels are those of pydensecrf but for near ties. The bytes of an image's result depend neither
    on the images beside it nor on how many are solved together. `wsss.refine` does not export this
    class, as its processes start without torch.
    """

    in_batches = True

    def __init__(
        self,
        gaussian_sxy_px: float = 3,
        gaussian_compat: float = 3,
        bilateral_sxy_px: float = 80,
        bilateral_srgb: float = 13,
        bilateral_compat: float = 10,
        num_iterations: int = 10,
        device: str | None = None,
        kernels: Literal["auto", "triton", "torch"] = "auto",
        group_px: int | None = None,
    ) -> None:
        """Set the kernels, the device, and how to compute on it.

        Args:
            gaussian_sxy_px: as of every engine, and all up to `device`.
            gaussian_compat: likewise.
            bilateral_sxy_px: likewise.
            bilateral_srgb: likewise.
            bilateral_compat: likewise.
            num_iterations: likewise.
            device: likewise; None: a GPU if there is one, else the CPU.
            kernels: `triton`, `torch`, or `auto`: Triton where it is installed and the device is
                CUDA. Results differ by rounding.
            group_px: the pixels of images that are solved together, one image at least. None:
                4 million on a GPU; image by image on a CPU, whose caches hold one at most.

        Raises:
            WsssError: a setting is out of range.
        """
        super().__init__(
            gaussian_sxy_px,
            gaussian_compat,
            bilateral_sxy_px,
            bilateral_srgb,
            bilateral_compat,
            num_iterations,
            device,
        )
        if kernels not in KERNELS:
            raise InvalidOptionError("kernels", kernels, ", ".join(KERNELS), "it is none of them")
        if group_px is not None:
            check_whole(1, group_px=group_px)
        self.kernels = kernels
        self.group_px = group_px

    @property
    def settings(self) -> Settings:
        """Kernels and iterations, as one value."""
        return Settings(
            self.gaussian_sxy_px,
            self.gaussian_compat,
            self.bilateral_sxy_px,
            self.bilateral_srgb,
            self.bilateral_compat,
            self.num_iterations,
        )

    def check(self) -> None:
        """Refuse a missing device, and Triton's kernels where they do not run.

        Raises:
            WsssError: with torch's message, or with what is needed.
        """
        self._operations(torch.device(usable_device(self.device)))

    def computes_on(self) -> str:
        """The name of the card, or the kind of the device."""
        return device_name(self._device())

    def _device(self) -> torch.device:
        """The device, with its number: what is kept on one must not be found for another."""
        word = usable_device(self.device)
        return torch.device(f"cuda:{torch.cuda.current_device()}" if word == "cuda" else word)

    def _solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    ) -> list[Float32[np.ndarray, "_ h w"]]:
        (posteriors,) = self._solve_batch([image], [unaries])
        return posteriors

    def _solve_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
    ) -> list[list[Float32[np.ndarray, "_ _ _"]]]:
        """Posteriors of several images of any sizes, in groups whose kernels are built as one.

        A group too large for 64-bit keys, 32-bit indices or memory is solved in halves.
        """
        return [
            [_posterior(*pair) for pair in pairs]
            for pairs in self._found(images, unaries, "posteriors")
        ]

    def _label_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
        with_confidence: bool,
    ) -> list[list[Labels]]:
        """Labels taken on the device, so that a byte or five a pixel are copied back."""
        wanted: Wanted = "labels and confidence" if with_confidence else "labels"
        return [
            [_labels(*pair, with_confidence) for pair in pairs]
            for pairs in self._found(images, unaries, wanted)
        ]

    @torch.inference_mode()
    @any_order()  # Every place is written once, and all sums are of a fixed order.
    def _found(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]],
        wanted: Wanted,
    ) -> list[list[tuple[Unary, Found | None]]]:
        """What is found of each image's unaries; None where all labels are equally likely."""
        shared = [
            [Unary(one, *shared_channels(one)) for one in several]
            for _, several in zip(images, unaries, strict=True)
        ]
        competing = [[one for one in several if len(one.first) > 1] for several in shared]
        found: dict[int, list[Found]] = {}
        if any(shared):
            device = self._device()
            operations = self._operations(device)
            most_px = self.group_px or (1 if device.type == "cpu" else GROUP_PX)
            for group in groups_of(images, competing, most_px, operations.fills_up):
                found |= self._solve_group(group, images, competing, wanted, device, operations)
        return [
            [
                (unary, next(own) if len(unary.first) > 1 else None)
                for own in [iter(found.get(number, []))]
                for unary in several
            ]
            for number, several in enumerate(shared)
        ]

    def _operations(self, device: torch.device) -> Operations:
        """The kernels for a device; Triton is imported where it is used."""
        runs = runs_triton(device)
        if self.kernels == "triton" and not runs:
            raise InvalidOptionError(
                "kernels",
                "triton",
                "auto or torch",
                f"Triton's kernels need the package `triton` and CUDA; the device is {device}",
                "Leave it out: they are used where they run.",
            )
        if (
            self.kernels == "torch"
            or not runs
            or (self.kernels == "auto" and device.type != "cuda")
        ):
            return TORCH
        from wsss.refine.dense_crf.triton_kernels.operations import TRITON

        return TRITON

    def _solve_group(
        self,
        group: list[int],
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        unaries: Sequence[Sequence[Unary]],
        wanted: Wanted,
        device: torch.device,
        operations: Operations,
    ) -> dict[int, list[Found]]:
        """What is found of a group's images, by number; in halves where memory does not suffice."""
        own = [images[number] for number in group]
        settings = self.settings
        if len(group) == 1 or solver.has_room(own, settings):
            try:
                several = [unaries[number] for number in group]
                with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
                    solved = solver.solve_group(own, several, settings, wanted, device, operations)
                return dict(zip(group, solved, strict=True))
            except (RuntimeError, MemoryError) as error:  # Of memory that is pinned, too.
                if not out_of_memory(error):
                    raise
            # Here the error is gone, which kept all tensors of the group alive.
            solver.positions_lattice.cache_clear()
            self.halvings += len(group) > 1
        if len(group) == 1:
            height, width, _ = own[0].shape
            raise UnsupportedError(
                "the dense CRF",
                f"an image of {height} × {width} pixels needs more memory than its device has",
                "one that fits",
                "Lower `max_side_px` (1024 by default), or use an engine for the CPU: NumbaEngine.",
            )
        half = len(group) // 2
        found: dict[int, list[Found]] = {}
        for part in (group[:half], group[half:]):
            found |= self._solve_group(part, images, unaries, wanted, device, operations)
        return found


def _posterior(unary: Unary, found: Found | None) -> Float32[np.ndarray, "l h w"]:
    """The posterior of every label."""
    if found is None or found.posterior is None:
        return np.full_like(unary.energies, 1 / len(unary.energies))
    if len(unary.first) == len(unary.energies):
        return found.posterior
    return np.ascontiguousarray(found.posterior[unary.channel_of])


def _labels(unary: Unary, found: Found | None, with_confidence: bool) -> Labels:
    """The first of the labels of highest posterior; of equally likely ones label 0."""
    size = unary.energies.shape[1:]
    if found is None or found.labels is None:
        likely = np.full(size, 1 / len(unary.energies), dtype=np.float32)
        return Labels(np.zeros(size, dtype=np.uint8), likely if with_confidence else None)
    return Labels(found.labels, found.confidence)
