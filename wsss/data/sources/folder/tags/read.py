"""From a file, or a folder, to the table of tags, whatever form it has."""

from wsss.data.sources.folder.tags.cells import cell_rows, check_separator
from wsss.data.sources.folder.tags.class_folders import class_folder_table
from wsss.data.sources.folder.tags.cls_labels import cls_labels_table
from wsss.data.sources.folder.tags.columns import find_columns, ignored_columns
from wsss.data.sources.folder.tags.delimited import read_delimited
from wsss.data.sources.folder.tags.grid import Grid
from wsss.data.sources.folder.tags.json_files import read_json, read_json_lines
from wsss.data.sources.folder.tags.one_hot import one_hot_rows
from wsss.data.sources.folder.tags.tag_table import Request, TagTable
from wsss.data.sources.folder.tags.voc_xml import SUFFIX as XML
from wsss.data.sources.folder.tags.voc_xml import voc_xml_table
from wsss.errors import user_error

_OTHER_PROGRAMS = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".numbers"), "a spreadsheet's own file"),
    **dict.fromkeys((".pkl", ".pickle", ".pth", ".pt"), "a pickle, which may run anything"),
    **dict.fromkeys((".parquet", ".feather", ".h5", ".mat"), "a binary table"),
    XML: "a single XML file",
}


def read_tags(request: Request) -> TagTable:
    """Read the tags of images; the form is told by the file's ending and by what is in it.

    Raises:
        WsssError: the file is unreadable, in no known form, or can be read in two ways.
    """
    check_separator(request.separator)
    path = request.path
    if path.is_dir():
        own = path.resolve() == request.index.folder.resolve()
        return class_folder_table(request) if own else voc_xml_table(request)
    suffix = path.suffix.lower()
    if kind := _OTHER_PROGRAMS.get(suffix):
        raise user_error(
            path,
            kind,
            "a table as text or JSON, or a folder of XML files",
            "Save it as CSV in UTF-8, with the columns `image` and `labels`; for XML name the "
            "folder that holds the files.",
        )
    if suffix == ".npy":
        return cls_labels_table(request)
    if suffix == ".json":
        content = read_json(request)
        return content if isinstance(content, TagTable) else _from_grid(content, request)
    lines = suffix in (".jsonl", ".ndjson")
    return _from_grid(read_json_lines(request) if lines else read_delimited(request), request)


def _from_grid(grid: Grid, request: Request) -> TagTable:
    """The tags of a table of cells."""
    columns = find_columns(grid, request)
    if columns.classes:
        rows, reading, found = one_hot_rows(grid, columns.image, columns.classes, request.path)
    else:
        rows, reading, found = cell_rows(grid, columns.image, columns.labels, request)
    return TagTable(
        rows,
        "; ".join(filter(None, (grid.kind, reading))),
        (*grid.problems, *ignored_columns(grid, columns, request.path), *found),
        rows_add_up=not columns.classes and all(len(row.labels) <= 1 for row in rows),
        has_cells=not columns.classes,
    )
