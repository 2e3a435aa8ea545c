"""Names of classes that are those of others, joined."""

import pytest

from wsss.data.sources.folder.tags.combinations import by_bare_name, combination

CLASSES = ("cat", "dog", "black cat", '"tom"', "C", "1")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("cat,dog", ("cat", "dog")),
        ("Cat & DOG", ("cat", "dog")),
        ("cat_dog", ("cat", "dog")),
        ("dog and cat", ("dog", "cat")),
        ("cat / dog and black cat", ("cat", "dog", "black cat")),
        ("[cat, dog]", ("cat", "dog")),
        ('black cat, "tom"', ("black cat", '"tom"')),
        ("cat cat", ("cat", "cat")),
        ("1-1", ("1", "1")),
        ("hot dog", None),
        ("catdog", None),
        ("cats and dogs", None),
        ("cat andog", None),
        ("C++", None),
        ("cat", None),
        ("black cat", None),
        ("…", None),
        ("", None),
    ],
)
def test_names_of_other_classes_joined_by_any_sign(name, parts):
    assert combination(name, by_bare_name([*CLASSES, name])) == parts
