"""Tables of the library `datasets`: opening them, and what is in their columns."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wsss.data.sources.file_digests import NO_DIGEST, SAMPLED_BYTES, sample, sample_file
from wsss.data.sources.label_names import as_labels
from wsss.data.sources.label_table import LabelTable
from wsss.data.sources.optional_packages import needs_package
from wsss.data.texts import Texts
from wsss.errors import InvalidOptionError
from wsss.wording import did_you_mean, name_some

ROWS = 1000
"""Rows that are looked at together."""


def opened_tables(path: str) -> dict[str, Any]:
    """The splits of a data set by name; a single one is called `train`."""
    needs_package("datasets", "huggingface")
    from datasets import (  # type: ignore[import-untyped]
        Dataset,
        load_dataset,
        load_from_disk,
    )

    try:
        saved = any((Path(path) / one).is_file() for one in ("state.json", "dataset_dict.json"))
        found = load_from_disk(path) if saved else load_dataset(path)
    # The errors of the library have many types, among them those of the network.
    except Exception as error:
        raise InvalidOptionError(
            "path", path, "a folder written by `save_to_disk`, or a data set of the hub",
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
        ) from error  # fmt: skip
    return {"train": found} if isinstance(found, Dataset) else dict(found)


def encoded(table: Any, columns: Mapping[str, str | None]) -> Any:
    """A table of some columns, by their options, whose images are not decoded."""
    from datasets import Image

    for option, column in columns.items():
        if column is not None and column not in table.column_names:
            raise InvalidOptionError(
                option, column, f"one of {name_some(table.column_names)}",
                f"no such column{did_you_mean(column, table.column_names)}",
            )  # fmt: skip
    table = table.select_columns([*dict.fromkeys(filter(None, columns.values()))])
    for column in filter(None, (columns["image"], columns["mask"])):
        table = table.cast_column(column, Image(decode=False))
    return table


def read_rows(
    tables: Mapping[str, Any], labels: str, named: str | None
) -> tuple[Texts, LabelTable]:
    """Ids and labels of all rows, of one table after the other.

    Args:
        tables: by split.
        labels: their column.
        named: that of the ids; None numbers the rows.

    Raises:
        InvalidOptionError: rows have the same id.
    """
    ids, tags = Texts(), LabelTable()
    seen: set[str] = set()
    for split, table in tables.items():
        for value in _column(table, labels):
            tags.append(as_labels(value))
        for row, value in enumerate(_column(table, named) if named else range(len(table))):
            item_id = str(value) if named else f"{split}_{row:06d}"
            if item_id in seen:
                raise InvalidOptionError(
                    "id", item_id, "an id for each row", "several rows have the id",
                    "Name another column, or none: rows are numbered then.",
                )  # fmt: skip
            seen.add(item_id)
            ids.append(item_id)
    return ids, tags


def _column(table: Any, name: str) -> Iterator[Any]:
    """The values of a column."""
    rows = table.select_columns([name])
    for start in range(0, len(rows), ROWS):
        yield from rows[start : start + ROWS][name]


def samples_of(table: Any, column: str) -> Iterator[bytes]:
    """The `sample` of each row's image, of which the table gives the ends alone."""
    for chunk in _chunks(table, column):
        for content, path in zip(chunk.field("bytes"), chunk.field("path"), strict=True):
            if content.is_valid:
                encoded = memoryview(content.as_buffer())
                ends = bytes(encoded[:SAMPLED_BYTES]), bytes(encoded[-SAMPLED_BYTES:])
                yield sample(len(encoded), *ends)
            else:
                yield sample_file(Path(path.as_py())) if path.is_valid else NO_DIGEST


def names_files(table: Any, column: str) -> bool:
    """Whether images of a column are in files that it names."""
    return any(
        not content.is_valid and path.is_valid
        for chunk in _chunks(table, column)
        if chunk.field("bytes").null_count
        for content, path in zip(chunk.field("bytes"), chunk.field("path"), strict=True)
    )


def _chunks(table: Any, column: str) -> Iterator[Any]:
    """Parts of a column of images as pyarrow's arrays of structures, which copy nothing."""
    rows = table.select_columns([column]).with_format("arrow")
    for start in range(0, len(rows), ROWS):
        yield from rows[start : start + ROWS].column(column).chunks


def known_names(feature: Any) -> tuple[str, ...]:
    """The classes that a column knows: of a `ClassLabel`, or a list of them."""
    inner = getattr(feature, "feature", feature)
    return tuple(getattr(inner, "names", None) or ())
