"""`wsss.export`: results of finished stages for other programs."""

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path

from wsss.machine.surroundings import surroundings_kept


def export(stage: str | PathLike[str], settings: Sequence[str] = ()) -> Path:
    """Write the results of a finished stage into one folder, which is returned.

    Args:
        stage: folder of the stage, such as runs/segment/3f0c…, or of a run with one segmenter.
        settings: the words after it in `wsss export`, such as
            `["formats=onnx", "output=flowers"]`.

    Raises:
        WsssError: the stage, a setting or the data set has a problem that the user can mend.
    """
    with surroundings_kept():  # Libraries change them when they are first imported.
        from wsss.exporting.export_request import run
        from wsss.exporting.request import configure, request_of
        from wsss.settings.build import build

        cfg = configure([fspath(stage), *settings])
        source = None if cfg.get("data") is None else build(cfg.data)
        folder, _ = run(request_of(cfg), source, visible=False)
    return folder
