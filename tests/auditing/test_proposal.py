"""The proposal of corrected tags, read back as a data set."""

import csv
from pathlib import Path

import pytest

from wsss.auditing.finding import Finding
from wsss.auditing.proposal import write_proposal
from wsss.data.sources.folder import Folder


def test_the_proposal_is_read_as_a_data_set_and_changes_nothing_itself(write_folder):
    root = write_folder()
    source = Folder(root)
    before = (root / "labels.csv").read_bytes()
    findings = [
        Finding("wrong_tag", 1.0, True, "", "both_0", "train", "dog"),
        Finding("missing_tag", 1.0, True, "", "cat_1", "train", "dog"),
        Finding("missing_tag", 0.2, False, "", "cat_2", "train", "dog"),
        Finding("near_duplicate", 1.0, True, "", "cat_0", "train", None, "dog_0"),
    ]
    write_proposal(root / "labels.corrected.csv", source, findings)
    assert (root / "labels.csv").read_bytes() == before
    read = Folder(root, labels="labels.corrected.csv")
    tags = {
        item.id: {read.class_names[label - 1] for label in item.labels}
        for split in ("train", "val")
        for item in read.items(split)
    }
    assert tags["both_0"] == {"cat"}
    assert tags["cat_1"] == {"cat", "dog"}
    assert tags["cat_2"] == tags["cat_0"] == {"cat"}
    with (root / "labels.corrected.csv").open(encoding="utf-8", newline="") as stream:
        was = {row["image"]: row["was"] for row in csv.DictReader(stream)}
    assert {image: one for image, one in was.items() if one} == {
        "both_0": "cat|dog",
        "cat_1": "cat",
    }


@pytest.mark.parametrize(
    "names",
    [
        ("x|y", "cat"),
        ("stop;sign", "cat"),
        ("lion, Asian", "lion, African"),
        ("lion, Asian", "lion, African", "cat"),
        ("traffic light", "stop sign"),
        ('say "cat"', "it's"),
        ("[cat]", "dog (large)", "{x}"),
        ("two\nlines", "cat"),
        ("कुत्ता", "猫"),
    ],
)
@pytest.mark.parametrize("several", [True, False], ids=["several", "one"])
def test_names_are_read_back_as_they_were(write_folder, tmp_path, names, several):
    tags = {f"{n}.png": (name,) for n, name in enumerate(names)}
    lists = [(file, str([*own])) for file, own in tags.items()]
    given = tmp_path / "given.csv"
    with given.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("image", "labels"), *lists])
    source = Folder(write_folder(tags, labels_csv=given.read_text(encoding="utf-8")))
    assert {*source.class_names} == {*names}
    findings = [Finding("missing_tag", 1.0, True, "", "0", "train", names[1])] if several else []
    path = Path(source.root) / "labels.corrected.csv"
    write_proposal(path, source, findings)
    read = Folder(source.root, labels=path.name)
    found = {
        item.id: {read.class_names[label - 1] for label in item.labels}
        for split in ("train", "val")
        for item in read.items(split)
    }
    expected = {str(n): {name} for n, name in enumerate(names)}
    assert found == expected | ({"0": {*names[:2]}} if several else {})


def test_a_table_without_separator_gets_a_second_tag(write_folder):
    """`data.separator` is of the old table: the new one is taken without it."""
    root = write_folder({"1.png": ("cat",), "2.png": ("dog",)})
    source = Folder(root, separator="none")
    finding = Finding("missing_tag", 1.0, True, "", "2", "train", "cat")
    write_proposal(root / "labels.corrected.csv", source, [finding])
    assert Folder(root, labels="labels.corrected.csv").class_names == ("cat", "dog")
    cells = (root / "labels.corrected.csv").read_text(encoding="utf-8").splitlines()
    assert "2,cat|dog,dog" in cells
