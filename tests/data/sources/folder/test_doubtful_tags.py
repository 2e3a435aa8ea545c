"""Tables that are read, with a word on what may be meant otherwise."""

from unicodedata import normalize

import pytest

from wsss.data.sources.folder.folder import Folder
from wsss.errors import Severity


def tags(source):
    """Names of the classes of each image by id."""
    items = (item for split in ("train", "val") for item in source.items(split))
    return {item.id: {source.class_names[label - 1] for label in item.labels} for item in items}


def test_numbers_and_splits_beside_one_hot_columns_are_no_classes(write_folder, find_problem):
    text = "id,image,cat,dog,is_valid\n0,cat_0,1,0,True\n1,dog_0,0,1,False"
    source = Folder(write_folder(labels_csv=text))
    assert tags(source) == {"cat_0": {"cat"}, "dog_0": {"dog"}}
    find_problem(source.inspect(), Severity.WARNING, "the column 'id' is not read")
    find_problem(source.inspect(), Severity.WARNING, "'is_valid' is not read", "splits/train.txt")


def test_labels_of_no_confidence_are_told(write_folder, find_problem):
    text = "ImageID,LabelName,Confidence\ncat_0,cat,1\ncat_0,dog,0\ndog_0,dog,0.5"
    problems = Folder(write_folder(labels_csv=text)).inspect()
    find_problem(problems, Severity.WARNING, "'Confidence' is not read", "Remove the rows of 0")


def test_what_programs_write_for_nothing_is_told(write_folder, find_problem):
    text = "image,labels\ncat_0,cat\ncat_1,NaN\ncat_2,N/A"
    root = write_folder(labels_csv=text)
    problem = find_problem(Folder(root).inspect(), Severity.WARNING, "'NaN' counts as a class")
    assert "line 3" in problem.came
    (root / "classes.txt").write_text("background\ncat\nNaN\nN/A\n")
    assert not [one for one in Folder(root).inspect() if "counts as" in one.came]


@pytest.mark.parametrize("classes", [None, "background\nété\n"])
def test_names_that_look_the_same_are_one_class(write_folder, classes):
    cells = ("été", normalize("NFD", "été"), "\u200bété", "été\ufeff")
    text = "\n".join(["image,labels", *(f"cat_{i},{cell}" for i, cell in enumerate(cells))])
    root = write_folder(labels_csv=text)
    if classes:
        (root / "classes.txt").write_text(classes)
    assert Folder(root).class_names == ("été",)


def test_an_empty_set_is_a_list_without_labels(write_folder):
    text = "image,labels\ncat_0,\"{'cat', 'dog'}\"\ncat_1,set()\ncat_2,{'cat'}"
    source = Folder(write_folder(labels_csv=text))
    assert tags(source) == {"cat_0": {"cat", "dog"}, "cat_1": set(), "cat_2": {"cat"}}


def test_doubtful_xml_files_are_told(write_folder, find_problem):
    root = write_folder(labels_csv=None)
    (root / "Annotations").mkdir()
    for name, content in (
        ("cat_0", "<filename>dog_0.jpg</filename><object><name>cat</name></object>"),
        ("cat_1", "<filename>gone.jpg</filename><object><name>cat</name></object>"),
        ("cat_2", "<object><name/></object><object><name>cat</name></object><object/>"),
    ):
        xml = f"<annotation>{content}</annotation>"
        (root / "Annotations" / f"{name}.xml").write_text(xml)
    source = Folder(root)
    assert tags(source) == {f"cat_{number}": {"cat"} for number in range(3)}
    find_problem(source.inspect(), Severity.WARNING, "its <filename> is 'dog_0.jpg'")
    find_problem(source.inspect(), Severity.ERROR, "2 objects without a name")
    assert not [one for one in source.inspect() if "gone.jpg" in str(one)]
