"""`wsss.dense_crf`: label probabilities that follow the contours of an image."""

from inspect import signature
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from hydra.utils import get_class
from omegaconf import OmegaConf

from wsss.api.image_reading import ImageLike, as_bytes, as_picture
from wsss.errors import unknown_word, user_error
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.refine.dense_crf.unaries import energies_from_softmax
from wsss.settings.config_dir import config_dir

if TYPE_CHECKING:
    from torch import Tensor

Scores = TypeVar("Scores", "np.ndarray[Any, Any]", "Tensor")

SUM_TOLERANCE = 0.01
"""Most by which probabilities of a pixel may miss 1: half precision misses it by less."""


def dense_crf(
    image: ImageLike, probabilities: Scores, *, engine: str | None = None, **settings: Any
) -> Scores:
    """Posterior label probabilities of a fully connected CRF (Krähenbühl and Koltun, NeurIPS 2011).

    Labels spread between near pixels, and more so between those of similar colours: a coarse
    segmentation gets the contours of its image.

    Args:
        image: RGB of height H and width W, as for `wsss.cam`; floats are colours in [0, 1].
        probabilities: [C, H, W] of C labels, which sum to 1 at each pixel: floats of any precision,
            an array, or a tensor on any device.
        engine: `numba`, `torch` or `pydensecrf`; `auto` or None takes `torch` for a tensor on a
            GPU, else `numba`, which is compiled when it is first used.
        settings: `gaussian_sxy_px` (3), `gaussian_compat` (3), `bilateral_sxy_px` (80),
            `bilateral_srgb` (13, in levels of 0…255), `bilateral_compat` (10), `num_iterations`
            (10), and `device` of the engine `torch`.

    Returns:
        Posterior probabilities [C, H, W], of the type, precision and device of `probabilities`.

    Raises:
        WsssError: image and probabilities differ in size, or one of the arguments is invalid.
    """
    picture = as_bytes(as_picture(image))
    values = _checked(probabilities, picture.shape[:2])
    if engine in (None, "auto"):
        engine = "numba"
        if (device := str(probabilities.device)) != "cpu":
            engine, settings = "torch", {"device": device, **settings}
    solver = _engine(engine, settings)
    solver.check()
    posterior = solver(picture, energies_from_softmax(values))
    if isinstance(probabilities, np.ndarray):
        return posterior.astype(probabilities.dtype)
    import torch

    return torch.from_numpy(posterior).to(probabilities)


def _checked(probabilities: Any, size: tuple[int, ...]) -> "np.ndarray[Any, Any]":
    """Probabilities as an array of single precision or more.

    Raises:
        WsssError: they are no probabilities, or not those of an image of `size`.
    """
    if hasattr(probabilities, "detach"):
        tensor = probabilities.detach().cpu()
        probabilities = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if not isinstance(probabilities, np.ndarray) or probabilities.dtype.kind != "f":
        kind = getattr(probabilities, "dtype", type(probabilities).__name__)
        raise _no_probabilities(f"{kind}", "Give an array or a tensor of floats.")
    if probabilities.ndim != 3 or not len(probabilities) or probabilities.shape[1:] != size:
        raise _no_probabilities(
            f"shape {list(probabilities.shape)} for an image of {size[0]} × {size[1]}",
            f"Resize them to [C, {size[0]}, {size[1]}].",
        )
    values = probabilities.astype(np.float32)
    if not np.isfinite(values).all():
        raise _no_probabilities("NaN or infinite values", "Find out where they come from.")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1 + SUM_TOLERANCE:
        raise _no_probabilities(
            f"values from {low:.3g} to {high:.3g}, as logits have them",
            "Give `softmax` of them over the labels, the first axis.",
        )
    sums = values.sum(axis=0)
    if abs(sums - 1).max() > SUM_TOLERANCE:
        raise _no_probabilities(
            f"sums over the labels from {sums.min():.3g} to {sums.max():.3g}",
            "Add the background, if it is missing, and divide by the sums over the first axis.",
        )
    return values


def _no_probabilities(came: str, remedy: str) -> Exception:
    expected = "probabilities [C, H, W] that sum to 1 at each pixel of the image"
    return user_error("probabilities", came, expected, remedy)


def _engine(name: str, settings: dict[str, Any]) -> DenseCrfEngine:
    """The engine of a name in `configs/refine/engine/`; loads that one alone.

    Raises:
        WsssError: there is no such engine, or a setting is none of its own or out of range.
    """
    files = {path.stem: path for path in (config_dir() / "refine" / "engine").glob("*.yaml")}
    if name not in files:
        raise unknown_word("engine", "engine", name, sorted(files), "Correct the name.")
    make = get_class(OmegaConf.load(files[name])._target_)
    known = signature(make).parameters
    for key, value in settings.items():
        if key not in known:
            raise unknown_word(key, "setting", key, sorted(known), "Correct or remove it.")
        kind = {"device": str, "num_iterations": Integral}.get(key, Real)
        if not isinstance(value, kind):
            expected = {str: "a device of torch", Integral: "a whole number"}.get(kind, "a number")
            raise user_error(key, f"{value!r}", expected, "Correct the value.")
    made = make(**settings)
    assert isinstance(made, DenseCrfEngine)
    return made
