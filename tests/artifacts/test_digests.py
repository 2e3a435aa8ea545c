import pytest

from wsss.artifacts import fingerprint, fingerprint_of_rows
from wsss.artifacts.digests import ROWS


@pytest.mark.parametrize("count", [0, 1, ROWS, ROWS + 1, 2 * ROWS])
def test_the_fingerprint_of_rows_is_that_of_their_list(count):
    rows = [[f"ü{number}", number, 2] for number in range(count)]
    assert fingerprint_of_rows(("a",), iter(rows), "b") == fingerprint([("a",), rows, "b"])
    ids = [row[0] for row in rows]
    assert fingerprint_of_rows({"b": 1, "a": 2}, iter(ids), 0) == (
        fingerprint([{"a": 2, "b": 1}, ids, 0])
    )
