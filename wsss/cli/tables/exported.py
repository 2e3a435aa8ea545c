"""The closing table of `wsss export`."""

from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from wsss.exporting.export_request import Exported
from wsss.wording import plural


def outcome(folder: Path, exported: Exported) -> Group:
    """One row a file or folder, with its size and what was checked; and the folder.

    Args:
        folder: of the export.
        exported: what is in it.
    """
    table = Table("file", title="Exported", title_justify="left")
    table.add_column("size", justify="right")
    table.add_column("compared with the network in torch")
    for path in sorted(folder.iterdir()):
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        size = sum(one.stat().st_size for one in files)
        check = exported.checks.get(path.name)
        said = (
            ""
            if check is None
            else (
                f"{100 * check['equal']:.3f} % equal decisions on {check['images']} images, "
                f"logits within {check['max_difference']:.1e}"
            )
        )
        many = "" if path.is_file() else f"/ ({plural(len(files), 'file')})"
        table.add_row(Text(f"{path.name}{many}"), f"{size / 1e6:,.2f} MB", said)
    found = "nothing has changed since it was written" if exported.cached else "all of it is there"
    return Group(table, Text(f"Folder: {folder} ({found})", overflow="fold"))
