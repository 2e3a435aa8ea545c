"""The words of a command that are files, and those that are settings, also written as options."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from wsss.errors import Problem, WsssError
from wsss.wording import nearest, readable


def files_and_settings(
    words: Sequence[str], request: type, files: str, command: str
) -> tuple[list[str], list[str]]:
    """Tell files from settings, and write all settings as `key=value`.

    `--batch-size 4` and `--batch-size=4` are `batch_size=4`, `--flip` is `flip=true`, and a list
    needs no brackets: `scales=0.5,1`.

    Args:
        words: of the command line.
        request: dataclass of the command's settings.
        files: its field of those words that are files.
        command: the command, for messages.

    Returns:
        the words that are files: those without `=`, and those with one that exist; and settings,
        keys that are no field of `request` among them.

    Raises:
        WsssError: names every word that is wrong.
    """
    types = {one.name: _bare(one.type) for one in fields(request) if one.name != files}
    options, others = _options(types, words, command)
    if wrong := [
        *_not_utf8(words),
        *_unknown(types, others, command),
        *_bare_names(types, others),
        *_files_as_setting(files, others, command),
    ]:
        raise WsssError(*wrong)
    named = [word for word in others if "=" not in word or Path(word).is_file()]
    settings = [word for word in others if word not in named]
    return named, [_with_brackets(types, word) for word in (*options, *settings)]


def _options(
    types: dict[str, Any], words: Sequence[str], command: str
) -> tuple[list[str], list[str]]:
    """Options as settings `key=value`, and all other words."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    flags = set()
    for name, kind in types.items():
        spellings = sorted({f"--{name}", f"--{name.replace('_', '-')}"})
        parser.add_argument(*spellings, dest=name)
        flags |= {*spellings} if kind is bool else set()
    try:
        # So that the word behind a flag is not taken as its value.
        written = [f"{word}=true" if word in flags else word for word in words]
        found, others = parser.parse_known_args(written)
    except argparse.ArgumentError as error:
        option = error.argument_name.split("/")[-1] if error.argument_name else ""
        remedy = f"Add the value; `wsss {command} --help` shows all settings."
        raise WsssError(
            Problem(option, "an option without a value", f"`{option} …`", remedy)
        ) from None
    return [f"{key}={value}" for key, value in vars(found).items() if value is not None], others


def _bare(kind: Any) -> Any:
    """A type without its annotation."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _with_brackets(types: dict[str, Any], word: str) -> str:
    """A setting whose values are a list in brackets."""
    key, _, value = word.partition("=")
    several = get_origin(types.get(key)) is tuple and not value.startswith("[")
    return f"{key}=[{value}]" if several else word


def _not_utf8(words: Sequence[str]) -> Iterator[Problem]:
    """Problems of names with bytes that are no text, which a description cannot hold."""
    for word in words:
        if (shown := readable(word)) != word:
            came = "bytes that are not UTF-8"
            yield Problem(shown, came, "names in UTF-8", "Rename the file or folder.")


def _unknown(types: dict[str, Any], words: Sequence[str], command: str) -> Iterator[Problem]:
    """Problems of options that are no settings."""
    for word in words:
        if word.startswith("-"):
            name = word.lstrip("-").partition("=")[0]
            known = nearest(name, [*types])
            remedy = f"Correct it; `wsss {command} --help` shows all settings."
            yield Problem(word, "there is no such option", known, remedy)


def _bare_names(types: dict[str, Any], words: Sequence[str]) -> Iterator[Problem]:
    """Problems of words that are the name of a setting, and no file."""
    for word in words:
        if word in types and not Path(word).exists():
            value = "true" if types[word] is bool else "…"
            yield Problem(
                word,
                "the name of a setting without a value, and no file of that name",
                f"`{word}={value}`",
                "Add the value, or write it as an option: "
                f"`--{word.replace('_', '-')}{'' if value == 'true' else ' …'}`.",
            )


def _files_as_setting(files: str, words: Sequence[str], command: str) -> Iterator[Problem]:
    """Problems of files that are written as a setting, which their words would replace."""
    for word in words:
        if word.lstrip("+~").partition("=")[0] == files and not Path(word).is_file():
            came, expected = "files as a setting", f"`wsss {command} FILE …`"
            yield Problem(word, came, expected, "Write the names of the files as they are.")
