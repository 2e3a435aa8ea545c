"""EXIF orientations."""

from PIL import ExifTags, Image

from wsss.data.images.opening import UNDECODABLE

TURNED_BY_90 = frozenset({5, 6, 7, 8})
"""Orientations that swap height and width."""


def orientation_of(picture: Image.Image) -> int:
    """EXIF orientation 1…8; 1, upright, without a valid one."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except UNDECODABLE:
        return 1
    return orientation if orientation in range(1, 9) else 1
