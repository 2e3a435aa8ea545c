"""The engine that wraps `pydensecrf2`: the reference implementation, on one thread."""

import numpy as np
from jaxtyping import Float32, UInt8

from wsss.errors import user_error
from wsss.refine.dense_crf.engine import DenseCrfEngine


class PydensecrfEngine(DenseCrfEngine):
    """Mean-field inference by Krähenbühl's C++ code. It holds the GIL: run it in processes."""

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], energies: Float32[np.ndarray, "l h w"]
    ) -> Float32[np.ndarray, "l h w"]:
        """Posterior probability of each label (see `DenseCrfEngine`).

        Raises:
            WsssError: `pydensecrf2` is not installed.
        """
        try:
            from pydensecrf.densecrf import DenseCRF2D
        except ImportError as error:
            raise user_error(
                "refine",
                "the package `pydensecrf2` is not installed",
                "the dense CRF it contains",
                "Install it with `pip install pydensecrf2` (needs a C++ compiler).",
            ) from error
        num_labels, height, width = energies.shape
        if num_labels == 1:  # A single label has nothing to compete with.
            return np.ones_like(energies)
        crf = DenseCRF2D(width, height, num_labels)
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
