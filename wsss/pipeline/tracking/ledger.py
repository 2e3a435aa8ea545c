"""Which tracked run a run of the pipeline is, and what that has been told already."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import read_json, write_json
from wsss.stage_tools.locks import locked

FOLDER = "tracking"


def ledger_path(work_dir: Path, plan_folder: Path) -> Path:
    """The file for runs whose last result is in a folder, `<stage>/<fingerprint>`."""
    return work_dir / FOLDER / f"{plan_folder.parent.name}_{plan_folder.name}.json"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other runs in the same work folder from opening or starting trackers in the block.

    Two runs that make the same database at once break it.

    Args:
        path: of the ledgers' file.
    """
    with locked(path.with_name("trackers")):
        yield


@dataclass(frozen=True, slots=True)
class Ledger:
    """The part of a file that is about one tracker: `id` of its run, and `told`, in order."""

    path: Path
    tracker: str
    """The tracker's kind and where it writes."""

    @property
    def run_id(self) -> str | None:
        """The tracker's name of the run; None before its first."""
        found: str | None = self._read().get("id")
        return found

    @property
    def told(self) -> frozenset[str]:
        """What the tracker has been told."""
        return frozenset(self._read().get("told", ()))

    def begin(self, run_id: str | None) -> None:
        """Note which run it is; what another one was told does not count."""
        with self._changed() as own:
            if own.get("id") != run_id:
                own.clear()
                own.update({"id": run_id, "told": []})

    def add(self, what: str) -> None:
        """Note that the tracker has been told something."""
        with self._changed() as own:
            own["told"] = [*dict.fromkeys([*own.get("told", ()), what])]

    def _read(self) -> Mapping[str, Any]:
        content = read_json(self.path) if self.path.is_file() else {}
        return dict(content.get(self.tracker, {}))

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        """The entry, written back whole after the block."""
        with locked(self.path):
            content = read_json(self.path) if self.path.is_file() else {}
            own = content.setdefault(self.tracker, {})
            yield own
            write_json(self.path, content)
