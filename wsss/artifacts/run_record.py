"""The record of one run: its words, how it ended, and the folders of its stages."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from wsss.artifacts.json_files import read_json, write_json

RECORD = "run.json"


@dataclass(slots=True)
class RunRecord:
    """The record of a run: begun when it starts, complete when it ends."""

    words: list[str]
    """Settings and choices of the command that differ from the defaults, as `key=value`."""
    status: Literal["unfinished", "finished", "failed"] = "unfinished"
    """`unfinished`: it goes on, or was killed."""
    problem: str = ""
    """Why it failed."""
    stages: dict[str, str] = field(default_factory=dict)
    """Folder of each finished stage, relative to the record's."""
    data: dict[str, Any] = field(default_factory=dict)
    """Resolved settings of the data set."""

    def note_stages(self, folder: Path, stages: Mapping[str, Path]) -> None:
        """Note the folders of stages in a record that is written to `folder`."""
        self.stages = {
            stage: Path(os.path.relpath(path, folder)).as_posix() for stage, path in stages.items()
        }

    def stage_folders(self, folder: Path) -> dict[str, Path]:
        """The folders of the stages of a record that was read from `folder`."""
        return {stage: Path(os.path.normpath(folder / path)) for stage, path in self.stages.items()}

    def write(self, folder: Path) -> None:
        """Write the record into the folder of a run's log."""
        write_json(folder / RECORD, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "RunRecord | None":
        """The record in the folder of a run's log; None where there is none.

        Raises:
            DamagedFileError: the file is no JSON.
        """
        path = folder / RECORD
        if not path.is_file():
            return None
        known = {one.name for one in fields(cls)}  # Another version may have had other fields.
        return cls(**{name: value for name, value in read_json(path).items() if name in known})
