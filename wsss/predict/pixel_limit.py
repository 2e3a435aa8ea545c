"""Pillow's limit on the size of images, lifted for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from PIL import Image

_lock = Lock()
_lifted = 0
_before: int | None = None


@contextmanager
def any_size() -> Iterator[None]:
    """Let Pillow open images of any size in the block, in all threads of this process.

    Its limit protects servers from small files that decode to gigabytes. Whoever lifts it looks at
    the size in an image's header first.
    """
    global _lifted, _before
    with _lock:
        if not _lifted:
            _before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _lifted += 1
    try:
        yield
    finally:
        with _lock:
            _lifted -= 1
            if not _lifted:
                Image.MAX_IMAGE_PIXELS = _before
