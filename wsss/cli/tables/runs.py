"""The tables of `wsss runs`."""

from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords
from wsss.runs.catalogue import ORDER, Catalogue, Key, StageFolder
from wsss.runs.choice import Choice
from wsss.wording import plural

SHORT = 6
"""Digits of a fingerprint that are shown in tables; commands take them, too."""


def size(num_bytes: int) -> str:
    """A number of bytes: `1.3 GB`."""
    for unit, bound in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= bound:
            return f"{num_bytes / bound:,.1f} {unit}"
    return f"{num_bytes} bytes"


def list_table(found: Catalogue) -> Group:
    """One row a stage's folder, and the size of all."""
    table = Table("stage", "written", title="Stages", title_justify="left")
    table.add_column("size", justify="right")
    table.add_column("from")
    table.add_column("needed by", justify="right")
    for key, one in found.folders.items():
        finished = one.state == "finished"
        table.add_row(
            f"{_short([key])}{one.manifest.mark if one.manifest else ''}",
            Text(
                _date(one) if finished else f"{one.state} {_date(one)}",
                "" if finished else "yellow",
            ),
            size(one.num_bytes),
            _short(one.inputs),
            str(len(found.needed_by(key))),
        )
    total = size(sum(one.num_bytes for one in found.folders.values()))
    what = f"{plural(len(found.folders), 'stage')}, {total} in {found.work_dir}"
    return Group(WholeWords(table), WholeLines(Text(what)))


def choice_table(choice: Choice) -> RenderableType:
    """One row a folder that is to be removed, with the reason."""
    table = Table("stage", "written", title="To remove", title_justify="left")
    table.add_column("size", justify="right")
    table.add_column("why")
    for one, why in choice.removed:
        table.add_row(_short([one.key]), _date(one), size(one.num_bytes), why)
    return WholeWords(table)


def stage_page(found: Catalogue, one: StageFolder) -> Group:
    """A stage's record: numbers, settings, what it came from, what came from it."""
    mark = one.manifest.mark if one.manifest else ""
    head = [f"{'/'.join(one.key)}{mark}: {one.state}, {size(one.num_bytes)}, written {_date(one)}"]
    tables = []
    if (manifest := one.manifest) is not None:
        head += [
            f"computed in {manifest.wall_time_s:,.1f} s on {', '.join(manifest.devices) or '–'} "
            f"by commit {manifest.commit or '–'}; {plural(len(manifest.failures), 'image')} failed"
        ]
        tables = [_pairs("numbers", manifest.numbers), _pairs("settings", _flat(manifest.config))]
    earlier = [key for key in found.folders if key in found.origins([one.key]) - {one.key}]
    gone = one.inputs - set(found.folders)
    lines = [
        f"came from: {_list(earlier)}",
        f"needed by: {_list(found.needed_by(one.key))}",
        *([f"no longer there: {_list(sorted(gone))}"] if gone else []),
    ]
    parts: list[RenderableType] = [WholeLines(Text(line)) for line in head]
    parts += [WholeWords(table) for table in tables if table.row_count]
    return Group(*parts, *(WholeLines(Text(line)) for line in lines))


def _pairs(title: str, content: dict[str, object]) -> Table:
    table = Table(title, "", show_header=True)
    for name, value in content.items():
        table.add_row(Text(name), Text(f"{value:.6g}" if isinstance(value, float) else str(value)))
    return table


def _flat(settings: object, prefix: str = "") -> dict[str, object]:
    """Nested settings by their dotted names."""
    if not isinstance(settings, dict) or not settings:
        return {prefix: settings}
    return {
        name: value
        for key, inner in settings.items()
        for name, value in _flat(inner, f"{prefix}.{key}".lstrip(".")).items()
    }


def _date(one: StageFolder) -> str:
    return datetime.fromtimestamp(one.changed_s).astimezone().strftime("%Y-%m-%d %H:%M")


def _short(keys: Iterable[Key]) -> str:
    ordered = sorted(keys, key=lambda key: ORDER.index(key[0]))
    return ", ".join(f"{stage}/{name[:SHORT]}" for stage, name in ordered) or "–"


def _list(keys: Iterable[Key]) -> str:
    return ", ".join("/".join(key) for key in keys) or "nothing"
