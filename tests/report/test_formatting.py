import pytest

from wsss.report import formatting as text
from wsss.wording import plural


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (4.23, "4.2 s"),
        (59.6, "1 min 00 s"),
        (192, "3 min 12 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_duration(seconds: float, expected: str):
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234567, "1,234,567"), (616.0, "616"), (0.123456, "0.1235"), (12345.6, "12,346"),
        (float("nan"), "—"), (float("inf"), "∞"), (None, "—"), (True, "True"), ("x", "x"),
    ],
)  # fmt: skip
def test_number(value: object, expected: str):
    assert text.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0123, "+1.2"), (-0.0123, "−1.2"), (0.0001, "0.0"), (-0.0001, "0.0"),
        (float("nan"), "—"),
    ],
)  # fmt: skip
def test_signed_percent(value: float, expected: str):
    assert text.signed_percent(value) == expected


def test_percent():
    assert [text.percent(one) for one in (0.1234, None, float("nan"))] == ["12.3", "—", "—"]


def test_date():
    assert text.date("2026-11-04T01:48:12+01:00") == "4 November 2026, 00:48 UTC"
    assert text.date("yesterday") == "yesterday"


def test_words():
    assert [text.words(["a", "b", "c"][:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_memory_and_percent_and_plural():
    assert (text.memory(512), text.memory(2048)) == ("512 MiB", "2.0 GiB")
    assert (text.percent(0.5), text.percent(None)) == ("50.0", "—")
    assert (plural(1, "class", "classes"), plural(2000, "image")) == (
        "1 class",
        "2,000 images",
    )
