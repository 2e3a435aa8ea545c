"""Endings of image files."""

COMMON_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Of everyday formats, lower case."""

IMAGE_SUFFIXES = COMMON_SUFFIXES | frozenset(
    {".jfif", ".gif", ".avif", ".jp2", ".j2k", ".heic", ".heif", ".hif", ".dcm"}
)
"""File name endings of images, lower case. What a file is its first bytes tell, not its name."""
