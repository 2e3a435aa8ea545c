"""The catalogue of CAM methods, read from the heads of their configuration files.

Nothing here loads torch: `wsss explain --list` answers at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

GROUP = "cam"
"""The configuration group of CAM methods."""
FIELDS = {"Reconstruction": "reconstructed", "Needs": "needs"}
"""Labels in a head that begin another field."""
MARK = "reconstruction"
DOWNLOADED = re.compile(r"^  name: (\S+)\n  weights: hub\b", re.MULTILINE)
"""Settings of a network of a method, with weights from a hub."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Provenance and needs of a method, read from its YAML file; equal to those of its class."""

    paper: str
    """Authors, short title, venue and year."""
    reconstructed: str = ""
    """Parts that are in neither the paper nor its authors' code; empty if none."""
    needs: frozenset[str] = frozenset()
    """Values of `wsss.cams.core.needs.Need`."""
    downloads: str = field(default="", compare=False)
    """The network beside the classifier whose weights are downloaded; empty if none."""


def method_names(config_dir: Path) -> tuple[str, ...]:
    """Names of all methods: one for each file of `configs/cam/`."""
    return tuple(sorted(path.stem for path in (config_dir / GROUP).glob("*.yaml")))


def known_name(word: str, known: Sequence[str]) -> str:
    """The method that a word names in any case, with or without `-` and `_`: Grad-CAM is `gradcam`.

    Returns:
        the word itself where it names none, or several.
    """
    alike = [name for name in known if _letters(name) == _letters(word)]
    return alike[0] if word not in known and len(alike) == 1 else word


def _letters(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).lower()


def catalogue(config_dir: Path) -> dict[str, Entry]:
    """Every method's entry, by the name that `cam=` takes."""
    found = {}
    for name in method_names(config_dir):
        text = (config_dir / GROUP / f"{name}.yaml").read_text(encoding="utf-8")
        network = DOWNLOADED.search(text)
        found[name] = replace(parse_head(text), downloads=network[1] if network else "")
    return found


def parse_head(text: str) -> Entry:
    """The entry of a configuration file, from its first comment up to an empty line.

    The paper comes first, then optionally `Reconstruction: …` and `Needs: …`, between commas.
    """
    words: dict[str, list[str]] = {"paper": []}
    current = "paper"
    for line in text.splitlines():
        comment = line.removeprefix("#").strip()
        if not line.startswith("#") or not comment:
            break
        label, colon, rest = comment.partition(": ")
        if colon and label in FIELDS:
            current, comment = FIELDS[label], rest
        words.setdefault(current, []).append(comment)
    said = {field: " ".join(parts) for field, parts in words.items()}
    needs = frozenset(filter(None, said.pop("needs", "").split(", ")))
    return Entry(**said, needs=needs)


def method_table(entries: Mapping[str, Entry]) -> Table:
    """One row a method: name, paper with reconstructed parts, needs."""
    table = Table("method", "paper", "needs", title="Methods", title_justify="left")
    table.show_lines = True
    for name, entry in entries.items():
        paper = Text(entry.paper)
        if entry.reconstructed:
            paper.append(f"\n{MARK}: {entry.reconstructed}", "yellow")
        if entry.downloads:
            paper.append(
                f"\ndownloads the weights of {entry.downloads} when it is first used", "cyan"
            )
        table.add_row(Text(name, "bold"), paper, ", ".join(sorted(entry.needs)) or "any classifier")
    table.caption = f"A {MARK} fills in what is not published: no figure of its paper holds."
    table.caption_justify = "left"
    return table
