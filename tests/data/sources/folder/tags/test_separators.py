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
    ("", ("black cat", "cat", "teddy bear", "bear")),
    ("", ('black cat, "tom"', "dog")),
    ("", ("tench, Tinca tinca", "goldfish, Carassius auratus")),
    ("", ("cats &amp; dogs", "cat")),
    ("", ("hot dog", "dog", "bun")),
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
