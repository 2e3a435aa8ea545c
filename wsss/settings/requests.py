"""The configuration of a command that takes files and settings of its own."""

from collections.abc import Sequence

from omegaconf import DictConfig

from wsss.settings.compose import compose
from wsss.settings.words import files_and_settings


def compose_request(
    command: str, words: Sequence[str], request: type, files: str, more: Sequence[str] = ()
) -> DictConfig:
    """The settings of `configs/<command>.yaml` with those of the words.

    Args:
        command: as it is typed: `export`.
        words: settings, also as options, and files: words without `=`.
        request: dataclass of the settings.
        files: its field of the files.
        more: further settings `key=value`.

    Raises:
        WsssError: names every word that is wrong.
    """
    named, settings = files_and_settings(words, request, files, command)
    cfg = compose(command, [*settings, *more], request)
    cfg[files] = named
    return cfg
