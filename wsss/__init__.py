"""Weakly-supervised semantic segmentation: from image tags to a trained segmentation network.

Five functions, each of which imports what it needs when it is first used:

    wsss.cam(model, image)               where a network sees a class in an image
    wsss.dense_crf(image, probabilities) label probabilities that follow the image's contours
    wsss.load(folder)                    the network that a finished stage left; it predicts images
    wsss.export(folder)                  a finished stage's results, for other programs
    wsss.run(["data=folder", …])         the pipeline, from images and tags to a report
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsss.api.cam import cam as cam
    from wsss.api.dense_crf import dense_crf as dense_crf
    from wsss.api.export import export as export
    from wsss.api.load import load as load
    from wsss.api.run import run as run

    __version__: str

__all__ = ["__version__", "cam", "dense_crf", "export", "load", "run"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("wsss")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wsss.machine.surroundings import surroundings_kept

    with surroundings_kept():  # Libraries change them when they are first imported.
        function = globals()[name] = getattr(import_module(f"{__name__}.api.{name}"), name)
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
