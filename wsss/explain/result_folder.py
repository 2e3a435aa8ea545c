"""The folder of results that are kept image by image, and never outlive what they come from.

`request.json` has the fingerprint of all that decides the results – weights, settings, the images'
contents – and the names of all files. It is written first. The same request goes on where it was;
another one in the same folder removes the files of the one before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import atomic, fingerprint, read_json, write_json
from wsss.errors import Problem, Severity, user_error
from wsss.explain.output_folder import DEFAULT_OUTPUT, write_picture, writing
from wsss.files import DamagedFileError
from wsss.report.overlays import Image

REQUEST = "request.json"


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """A folder that belongs to one request."""

    folder: Path

    @classmethod
    def of(
        cls, output: Path | None, described: Mapping[str, Any], files: Sequence[str]
    ) -> "ResultFolder":
        """Make the folder for a request, or find what the same request has left there.

        Args:
            output: the folder; None for `runs/explain/<fingerprint>`.
            described: all that decides the results, as plain data.
            files: names of all files that will be written, relative to the folder.

        Raises:
            WsssError: the folder cannot be written, or its `request.json` is another program's.
        """
        key = fingerprint(described)
        folder = output or DEFAULT_OUTPUT / key
        path = folder / REQUEST
        with writing(folder):
            if (former := _former(path)) is not None and former["fingerprint"] != key:
                for name in former["files"]:
                    (folder / name).unlink(missing_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, {"fingerprint": key, "described": described, "files": [*files]})
        return cls(folder)

    def note(self, name: str) -> Any | None:
        """The content of a finished file; None where it is not there."""
        path = self.folder / name
        return read_json(path) if path.is_file() else None

    def write(self, name: str, content: Any) -> None:
        """Write a file of JSON."""
        with writing(self.folder):
            write_json(self.folder / name, content)

    def write_text(self, name: str, content: str) -> None:
        """Write a file of text."""
        with writing(self.folder), atomic(self.folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8", newline="")

    def draw(self, name: str, picture: Image) -> None:
        """Write a picture as PNG."""
        write_picture(self.folder / name, picture)


def _former(path: Path) -> dict[str, Any] | None:
    """The request that a folder belongs to.

    Raises:
        WsssError: the file is another program's, or names files outside its folder.
    """
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = read_json(path)
        names = [Path(name) for name in content["files"]]
        if not isinstance(content["fingerprint"], str):
            raise TypeError("a fingerprint that is no text")
        if any(name.is_absolute() or ".." in name.parts for name in names):
            raise ValueError("names outside the folder")
    except (DamagedFileError, KeyError, TypeError, ValueError) as error:
        raise user_error(
            path, "a file that `wsss explain` did not write",
            "an earlier call's, which is replaced, or none", "Choose another folder by `output=…`.",
        ) from error  # fmt: skip
    return content


def problem_note(problem: Problem) -> list[str]:
    """A reason for leaving something out, as a note keeps it."""
    return [problem.where, problem.came, problem.expected, problem.remedy]


def noted_problem(words: Sequence[str]) -> Problem:
    """The reason that `problem_note` has kept."""
    where, came, expected, remedy = words
    return Problem(where, came, expected, remedy, Severity.SKIPPED)
