"""JSON: a record a line, a list of records, a dictionary of images, or the instances of COCO."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wsss.data.sources.folder.tags.coco import coco_table, is_coco
from wsss.data.sources.folder.tags.grid import Cell, Grid, text_of
from wsss.data.sources.folder.tags.tag_table import Request, TagTable
from wsss.data.sources.text_files import read_text
from wsss.errors import user_error

_FORMS = (
    'a record a line, like `{"image": "photo.jpg", "labels": ["cat", "dog"]}`, a list of such '
    "records, a dictionary of images and labels, or instances as COCO has them"
)


class _RepeatedKeyError(ValueError):
    """A key that a dictionary has twice."""


def read_json_lines(request: Request) -> Grid:
    """Read JSON lines: a record with the image and its labels in each.

    Raises:
        WsssError: the file is unreadable, or a line is no record.
    """
    lines = enumerate(read_text(request.path).split("\n"), 1)
    texts = {f"line {number}": line for number, line in lines if line.strip()}
    records = {place: _decoded(request, text, place) for place, text in texts.items()}
    return _grid(request, list(records), list(records.values()), "JSON lines")


def read_json(request: Request) -> Grid | TagTable:
    """Read a JSON file.

    Returns:
        A table of COCO's instances, or the cells of records that are still to be understood.

    Raises:
        WsssError: the file is unreadable, or of none of the forms.
    """
    content = _decoded(request, read_text(request.path))
    if is_coco(content):
        return coco_table(content, request)
    if isinstance(content, dict) and content:
        odd = [key for key, value in content.items() if not isinstance(value, str | list)]
        if odd:
            raise user_error(
                request.path,
                f"a dictionary in which '{odd[0]:.80}' is neither a label nor a list of labels",
                _FORMS,
                "Write one of these.",
            )
        rows = [[key.strip(), _cell(value)] for key, value in content.items()]
        places = [f"key '{key:.80}'" for key in content]
        return Grid(["image", "labels"], rows, places, "a JSON dictionary")
    if isinstance(content, list) and content:
        places = [f"record {number}" for number in range(1, len(content) + 1)]
        return _grid(request, places, content, "JSON records")
    raise user_error(request.path, f"`{content!r:.80}`", _FORMS, "Write one of these.")


def _decoded(request: Request, text: str, place: str | None = None) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except _RepeatedKeyError as error:
        raise user_error(
            request.path,
            f"{place or 'a dictionary'} has the key '{error}' twice",
            "every key once",
            'Join their labels: `["cat", "dog"]`.',
        ) from None
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        message = getattr(error, "msg", str(error))
        raise user_error(
            request.path,
            f"{place or f'line {line}'} is no JSON ({message})",
            _FORMS,
            "Correct this line.",
        ) from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return found


def _grid(request: Request, places: Sequence[str], records: Sequence[Any], kind: str) -> Grid:
    """The cells of records, a column a key."""
    for place, record in zip(places, records, strict=True):
        if not isinstance(record, Mapping):
            raise user_error(
                request.path, f"{place}: `{record!r:.80}`", _FORMS, "Write a record there."
            )
    header = list(dict.fromkeys(key for record in records for key in record))
    rows = [[_cell(record.get(key)) for key in header] for record in records]
    return Grid(header, rows, places, kind)


def _cell(value: object) -> Cell:
    if isinstance(value, dict):  # no text; to be refused where labels are expected
        return [value]
    return value if isinstance(value, list) else text_of(value)
