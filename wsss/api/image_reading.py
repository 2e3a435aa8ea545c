"""Images from files, Pillow, arrays and tensors."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from wsss.data.images import read_rgb, to_rgb
from wsss.errors import WsssError, user_error

if TYPE_CHECKING:
    from torch import Tensor

ImageLike: TypeAlias = "str | PathLike[str] | Image.Image | np.ndarray[Any, Any] | Tensor"
"""See `as_picture`."""
Picture: TypeAlias = UInt8[np.ndarray, "h w 3"] | Float32[np.ndarray, "h w 3"]

_CHANNELS = (1, 3, 4)


def as_picture(image: ImageLike) -> Picture:
    """An image as an RGB array: uint8 in 0…255, or float32 as given.

    Args:
        image: a file, a Pillow image, an array [h, w], [h, w, c] or [c, h, w], or a tensor
            [c, h, w], [1, c, h, w], [h, w] or [h, w, c] with c of 1 (grey), 3 (RGB) or 4 (RGB and
            opacity, seen on white). Where both layouts are possible, an array has its channels
            last and a tensor first. Whole numbers of any type are levels in 0…255.

    Raises:
        WsssError: the file cannot be read, or it is no image of this kind.
    """
    if isinstance(image, str | PathLike):
        return read_rgb(Path(image))
    if isinstance(image, Image.Image):
        return to_rgb(image)
    is_tensor = hasattr(image, "detach")
    array = _array(image)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    places = (0, 2) if is_tensor else (2, 0)
    place = next((p for p in places if array.ndim == 3 and array.shape[p] in _CHANNELS), None)
    if place is None or array.size == 0:
        raise _no_image(f"{array.dtype} of shape {list(array.shape)}")
    array = np.moveaxis(array, place, 2)
    if array.shape[2] == 1:
        array = array.repeat(3, axis=2)
    return _levels(array) if array.dtype.kind in "iu" else _floats(array)


def as_bytes(picture: Picture) -> UInt8[np.ndarray, "h w 3"]:
    """A picture in 0…255, rounded.

    Raises:
        WsssError: it has floats outside [0, 1].
    """
    if picture.dtype == np.uint8:
        return picture
    check_unit_range(picture)
    return np.asarray(np.rint(picture * 255), dtype=np.uint8)


def check_unit_range(picture: Picture) -> None:
    """Refuse floats outside [0, 1].

    Raises:
        WsssError: says whether they look like levels or like normalised colours.
    """
    low, high = float(picture.min()), float(picture.max())
    if not (low >= 0 and high <= 1):
        looks = (
            "like levels of 0…255 as floats"
            if low >= 0 and high > 10
            else "like normalised colours"
        )
        raise user_error(
            "image",
            f"floats from {low:.3g} to {high:.3g}, which look {looks}",
            "floats in [0, 1], or whole numbers in 0…255",
            "Divide levels by 255; give an image before it is normalised.",
        )


def _array(image: Any) -> np.ndarray[Any, Any]:
    """A tensor on any device, or an array, as an array."""
    if hasattr(image, "detach"):
        tensor = image.detach().cpu()  # numpy knows no bfloat16
        image = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if not isinstance(image, np.ndarray):
        raise _no_image(f"a {type(image).__name__}")
    return np.asarray(image)


def _levels(array: np.ndarray[Any, Any]) -> UInt8[np.ndarray, "h w 3"]:
    if not (array.min() >= 0 and array.max() <= 255):
        raise _no_image(f"whole numbers from {array.min()} to {array.max()}")
    array = array.astype(np.uint8)
    if array.shape[2] == 4:
        return to_rgb(Image.fromarray(np.ascontiguousarray(array)))
    return np.ascontiguousarray(array)


def _floats(array: np.ndarray[Any, Any]) -> Float32[np.ndarray, "h w 3"]:
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise _no_image("NaN or infinite values" if array.dtype.kind == "f" else f"{array.dtype}")
    array = array.astype(np.float32)
    if array.shape[2] == 4:
        check_unit_range(array)
        opacity = array[..., 3:]
        array = opacity * array[..., :3] + (1 - opacity)
    return np.ascontiguousarray(array)


def _no_image(came: str) -> WsssError:
    return user_error(
        "image",
        came,
        "one image: a file, a Pillow image, an array [h, w, 3] or a tensor [3, h, w], of whole "
        "numbers in 0…255 or floats in [0, 1]",
        "Convert it; of a batch, give one image after the other.",
    )
