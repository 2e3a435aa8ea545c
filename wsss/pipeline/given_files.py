"""Files of the user's own that a stage takes instead of computing: in fingerprints by content."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

from wsss.artifacts import file_digest, fingerprint
from wsss.data.source import Source


def given_digest(module: ModuleType, source: Source, settings: Mapping[str, Any]) -> dict[str, str]:
    """The part of a stage's basis for given files; empty for a stage that takes none.

    Every byte of every file counts: an `.npy` of seeds may change in its middle alone. A gigabyte
    takes a second once it is in memory.

    Args:
        module: of the stage; `GIVEN_PATHS` names the settings that are paths, and `given_files` the
            files that it will read there.
        source: the data set.
        settings: of the stage.

    Raises:
        WsssError: there is no such file or folder.
    """
    if not (names := getattr(module, "GIVEN_PATHS", ())):
        return {}
    files = module.given_files(source, **{name: settings.get(name) for name in names})
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        digests = list(threads.map(file_digest, files.values()))
    return {"given": fingerprint(list(zip(files, digests, strict=True)))}
