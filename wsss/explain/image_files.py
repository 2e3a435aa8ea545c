"""The image files of a request: files, folders, patterns, lists."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsss.artifacts import file_digest
from wsss.data.image_list import find_images
from wsss.data.images import read_rgb
from wsss.errors import Problem, WsssError
from wsss.explain.explainer import left_out
from wsss.explain.output_folder import DEFAULT_OUTPUT, unique_names


def readable_images(
    words: Sequence[Path], output: Path | None
) -> tuple[dict[Path, str], list[Problem]]:
    """The images that words mean, each with a name for its results; and why others are left out.

    Args:
        words: files, folders, patterns and lists: see `wsss.data.image_list`.
        output: folder of results, whose pictures a folder around it does not mean.

    Raises:
        WsssError: there is no readable image.
    """
    items, problems = find_images([str(word) for word in words], output or DEFAULT_OUTPUT)
    readable: list[Path] = []
    for item in items:
        assert item.image is not None
        try:
            read_rgb(item.image)
        except WsssError as error:
            problems += left_out(error)
        else:
            readable.append(item.image)
    if not readable:
        raise WsssError(*problems)
    return dict(zip(readable, unique_names(readable), strict=True)), problems


def contents(images: Sequence[Path]) -> list[list[Any]]:
    """Each image's path with the hash of its content: another content is another image."""
    return [[str(path.absolute()), file_digest(path)] for path in images]
