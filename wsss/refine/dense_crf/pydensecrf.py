"""The engine that wraps `pydensecrf2`: the reference implementation, on one thread."""

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import numpy as np
from jaxtyping import Float32, UInt8

from wsss.errors import UnsupportedError
from wsss.refine.dense_crf.engine import DenseCrfEngine


class PydensecrfEngine(DenseCrfEngine):
    """Mean-field inference by Krähenbühl's C++ code. It holds the GIL: run it in processes."""

    def check(self) -> None:
        """Refuse other devices than the CPU, or a missing library; raises a `WsssError`."""
        super().check()
        _densecrf()

    def _solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    ) -> list[Float32[np.ndarray, "_ h w"]]:
        """Posteriors for each of the unaries; the library rebuilds its lattices for each."""
        return [self._posterior(image, energies) for energies in unaries]

    def _posterior(
        self, image: UInt8[np.ndarray, "h w 3"], energies: Float32[np.ndarray, "l h w"]
    ) -> Float32[np.ndarray, "l h w"]:
        num_labels, height, width = energies.shape
        if num_labels == 1:  # A single label is certain.
            return np.ones_like(energies)
        crf = _densecrf().DenseCRF2D(width, height, num_labels)
        crf.setUnaryEnergy(np.ascontiguousarray(energies.reshape(num_labels, -1)))
        crf.addPairwiseGaussian(sxy=self.gaussian_sxy_px, compat=self.gaussian_compat)
        crf.addPairwiseBilateral(
            sxy=self.bilateral_sxy_px,
            srgb=self.bilateral_srgb,
            rgbim=np.ascontiguousarray(image),
            compat=self.bilateral_compat,
        )
        posterior = np.array(crf.inference(self.num_iterations), dtype=np.float32)
        return posterior.reshape(num_labels, height, width)


def _densecrf() -> ModuleType:
    """The library, an optional extra."""
    try:
        return import_module("pydensecrf.densecrf")
    except ImportError as error:
        raise UnsupportedError(
            "PydensecrfEngine",
            "the package `pydensecrf2` is not installed",
            "the dense CRF it contains",
            "Install it with `pip install pydensecrf2` (needs a C++ compiler), or use a "
            "NumbaEngine, which gives the same labels faster.",
            {"pydensecrf2"},
        ) from error
