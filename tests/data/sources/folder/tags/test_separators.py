"""What separates labels in cells, told from all of them."""

import pytest

from wsss.data.sources.folder.tags.separators import UnclearError, find_separator

READ = (  # The distinct cells of a table, and what separates their labels.
    ("|", ("cat|dog", "black cat, tom", "cat; dog")),
    (",", ("cat,dog", "cat", "dog")),
    (",", ("cat,dog", "cat", "dog", "cat,dog,bird")),  # A rare class that is never alone.
    (",", ("bicycle,person", "dog,person", "bicycle", "chair", "chair,sofa")),
    (";", ("cat;dog", "cat", "dog", "cat;dog;bird")),
    (";", ("person;dog", "bird")),
    (";", ("black cat, tom; dog", "dog")),
    (" ", ("cat dog", "cat", "dog")),
    (" ", ("16 0", "7 1", "5")),
    ("", ("16", "5")),
    ("\n", ("cat\r\nblack dog", "bird")),
    ("", ("black cat", "cat", "teddy bear", "bear")),
    ("", ('black cat, "tom"', "dog")),
    ("", ("tench, Tinca tinca", "goldfish, Carassius auratus")),
    ("", ("cats &amp; dogs", "cat")),
    ("", ("hot dog", "dog", "bun")),
    ("", ("animal/cat", "animal/dog", "vehicle/car", "vehicle/bus")),
    ("", ("2020-01-02", "2020-02-01", "2020-02-02")),
    ("", ("black cat", "white cat", "black dog", "white dog")),
    ("", ("polar bear", "bear cub", "-", "/")),
    ("", ("none", "nan", "null", "true", "0")),
)
UNCLEAR = (
    ("lion, African", "lion, Asian"),
    ("person,dog", "person,car"),
    ("maillot", "maillot, tank suit"),
    ("cat,dog", "cat", "dog", "black bird, tom"),
    ("cat dog", "cat", "dog", "black bird"),
    ("bicycle person", "dog person", "bicycle"),
    ("haze primary", "clear primary", "clear primary water"),
    ("cat dog", "dog cat"),
    ("1 0", "0 1"),  # Of two classes the first, and the second.
    ("1 0 2", "0 0 1"),
    *((f"cat{sign}dog", f"cat{sign}bird", f"bird{sign}dog") for sign in (*" /+&-_", " and ")),
    ("cat & dog", "dog & bird", "bird & cat", "tree"),
)


@pytest.mark.parametrize(("separator", "cells"), READ)
def test_the_separator_is_told_from_all_cells(separator, cells):
    assert find_separator(cells, None) == separator
    assert find_separator(cells[::-1], None) == separator


@pytest.mark.parametrize("cells", UNCLEAR)
def test_cells_that_can_be_read_in_two_ways(cells):
    with pytest.raises(UnclearError):
        find_separator(cells, None)
    with pytest.raises(UnclearError):
        find_separator(cells[::-1], None)


@pytest.mark.parametrize(
    ("classes", "separator"),
    [
        (["cat", "dog", "bird"], ","),
        (["cat", "zebra"], ","),  # An unknown class is told later, by its name.
        (["cat,dog", "bird"], ""),
        (["zebra"], ""),
        (["cat,dog", "cat", "dog"], None),
    ],
)
def test_known_classes_decide(classes, separator):
    if separator is None:
        with pytest.raises(UnclearError):
            find_separator(["cat,dog"], classes)
    else:
        assert find_separator(["cat,dog"], classes) == separator


@pytest.mark.parametrize(
    ("classes", "cells", "separator"),
    [
        (["cat", "dog"], ["cat dog"], " "),
        (["cat dog", "cat", "dog"], ["cat dog"], ""),
        (["black cat", "dog"], ["black cat", "dog"], ""),
        (["cat", "dog"], ["black bird"], ""),
        (["black", "cat", "bird"], ["black cat", "black dog"], None),
    ],
)
def test_white_space_separates_known_classes_only(classes, cells, separator):
    if separator is None:
        with pytest.raises(UnclearError):
            find_separator(cells, classes)
    else:
        assert find_separator(cells, classes) == separator
