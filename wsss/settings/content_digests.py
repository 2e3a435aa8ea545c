"""Hashes of files that settings name, so that a changed file is a changed setting."""

import inspect
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from wsss.artifacts import file_digest
from wsss.errors import inside, user_error
from wsss.models.hub import HUB_WEIGHTS
from wsss.models.weights import PACKAGE_WEIGHTS, weights_file

INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed packages."""


def weight_digests(settings: Any) -> list[str]:
    """Digests of all weight files named in settings, so that a changed file renews the stage.

    Raises:
        WsssError: there is no such file.
    """
    if isinstance(settings, list):
        return [digest for one in settings for digest in weight_digests(one)]
    if not isinstance(settings, dict):
        return []
    digests = []
    for key, one in settings.items():
        with inside(key):
            digests += weight_digests(one)
    weights = settings.get("weights")
    if isinstance(weights, str) and weights not in (HUB_WEIGHTS, PACKAGE_WEIGHTS):
        digests.append(file_digest(weights_file("", weights)))
    return digests


def code_digests(settings: Any) -> dict[str, list[str]]:
    """Digests of the user's own modules that settings name as a `_target_`; {} where there is none.

    Of what is installed, and of this package, `VERSION` and the manifest's versions tell.
    """
    found: dict[str, str] = {}
    for name in _targets(settings):
        library = name.partition(".")[0]
        if library == "__main__":
            raise user_error(
                f"_target_: {name}", "code of a script or notebook, which another run cannot find",
                "a class or function in a module", "Move it into a file, such as `my_module.py`.",
            )  # fmt: skip
        spec = None if library == "wsss" else find_spec(library)
        if spec is not None and not INSTALLED & {*Path(str(spec.origin)).parts}:
            found[name] = file_digest(Path(inspect.getfile(get_object(name))))
    return {"code": [found[name] for name in sorted(found)]} if found else {}


def _targets(settings: Any) -> Iterator[str]:
    """The `_target_`s in settings, wherever they are."""
    if isinstance(settings, list):
        settings = dict(enumerate(settings))
    if isinstance(settings, dict):
        for key, one in settings.items():
            yield from [one] if key == "_target_" else _targets(one)
