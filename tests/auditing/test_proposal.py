"""The proposal of corrected tags, read back as a data set."""

import csv

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
