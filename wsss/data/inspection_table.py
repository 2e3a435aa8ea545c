"""What is known of all images of a data set, in arrays and in one file."""

import json
from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32

from wsss.artifacts import as_written, atomic, opened
from wsss.data.image_inspection import Inspection
from wsss.data.texts import TextIndex, Texts
from wsss.errors import Problem, Severity


@dataclass(slots=True)
class InspectionTable:
    """Inspections by row: some thirty bytes an image, and what is wrong with few of them."""

    index: TextIndex
    """Finds the row of an id."""
    sides: Int32[np.ndarray, "n 2"]
    """Heights and widths in pixels; 0 where an image could not be decoded."""
    has_mask: Bool[np.ndarray, " n"]
    conversions: list[tuple[str, ...]] = field(default_factory=lambda: [()])
    """The different sets of differences from plain RGB, first of all none."""
    conversion: "array[int]" = field(default_factory=lambda: array("H"))
    """Number of each image's set."""
    problems: dict[int, tuple[Problem, ...]] = field(default_factory=dict)
    """By row; of images without any there is none."""

    @classmethod
    def of(cls, inspections: Iterable[Inspection]) -> "InspectionTable":
        """A table of inspections of different images, read one by one."""
        ids, sides, has_mask = Texts(), array("i"), array("b")
        numbers: dict[tuple[str, ...], int] = {(): 0}
        conversion = array("H")
        problems = {}
        for row, one in enumerate(inspections):
            ids.append(one.id)
            sides.extend((one.height, one.width))
            has_mask.append(one.has_mask)
            conversion.append(numbers.setdefault(one.conversions, len(numbers)))
            if one.problems:
                problems[row] = one.problems
        return cls(
            TextIndex(ids),
            np.array(sides, dtype=np.int32).reshape(-1, 2),
            np.array(has_mask, dtype=bool),
            [*numbers],
            conversion,
            problems,
        )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.has_mask)

    def usable(self, row: int) -> bool:
        """Whether an image can take part in a run."""
        found = self.problems.get(row, ())
        return all(problem.severity != Severity.SKIPPED for problem in found)

    def save(self, path: Path) -> None:
        """Write the table as an `.npz` file."""
        block, starts = self.index.texts.arrays()
        words = {
            "conversions": self.conversions,
            "problems": [[row, [asdict(one) for one in ps]] for row, ps in self.problems.items()],
        }
        with atomic(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                ids=block,
                id_starts=starts,
                sides=self.sides,
                has_mask=self.has_mask,
                conversion=np.array(self.conversion, dtype=np.uint16),
                words=np.frombuffer(json.dumps(words).encode(), dtype=np.uint8),
            )

    @classmethod
    def load(cls, path: Path) -> "InspectionTable":
        """The table in a file.

        Raises:
            DamagedFileError: it cannot be read.
        """
        with as_written(path), opened(path) as content:
            words: Any = json.loads(content["words"].tobytes())
            problems = {row: tuple(map(problem_of, notes)) for row, notes in words["problems"]}
            conversion = array("H", content["conversion"].tobytes())
            return cls(
                TextIndex(Texts.from_arrays(content["ids"], content["id_starts"])),
                content["sides"],
                content["has_mask"],
                [tuple(one) for one in words["conversions"]],
                conversion,
                problems,
            )


def problem_of(note: dict[str, Any]) -> Problem:
    """The problem that was written as JSON."""
    return Problem(**{**note, "severity": Severity(note["severity"])})
