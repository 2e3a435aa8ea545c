"""Tables that can be read in two ways, or in none: one message, with both readings."""

import json

import pytest

from wsss.data.sources.folder.folder import Folder
from wsss.errors import Severity, WsssError


def table(*cells, header="image,labels"):
    """A table of the images of the fixture `write_folder`, with some cells in turn."""
    names = [f"{kind}_{i}.jpg" for kind in ("cat", "dog", "both") for i in range(3)]
    rows = (f"{name},{cells[i % len(cells)]}" for i, name in enumerate(names))
    return "\n".join([header, *rows])


TWO_READINGS = {
    "comma": (
        table('"lion, African"', '"lion, Asian"'),
        "line 2: `lion, African` is either 'lion', 'African', separated by `,` (3 classes in the "
        "table), or one class 'lion, African' (2 classes in the table)",
    ),
    "space": (
        table("cat dog", "cat", "dog", "black bird"),
        "line 2: `cat dog` is either 'cat', 'dog', separated by white space (4 classes in the "
        "table), or one class 'cat dog' (4 classes in the table)",
    ),
    "other separator": (
        table("cat", "dog", "cat+dog"),
        "line 4: 'cat+dog' is either one class of that name, or the classes 'cat', 'dog', which",
    ),
    "word": (table("Cat", "dog", "cat and dog"), "line 4: 'cat and dog' is either one class"),
    "underscore": (table("cat", "dog", "cat_dog"), "line 4: 'cat_dog' is either one class"),
    "two separators": (table("cat|dog", '"cat, dog"'), "line 3: 'cat, dog' is either one class"),
    "longer names": (
        table("black cat", "hot dog", "black cat/hot dog"),
        "or the classes 'black cat', 'hot dog', which are there as well",
    ),
    "two label columns": (
        table("3,cat", header="image,class,label"),
        "the header `image,class,label` can be read in two ways: image with 'class' "
        "(`image,class`) or image with 'label' (`image,label`)",
    ),
    "joined by the word `and`": (
        table("cat and dog", "cat and bird", "bird and dog"),
        "line 2: `cat and dog` is either 'cat', 'dog', separated by the word `and` (3 classes",
    ),
    "a class called as labels are": (
        table("1,0", "0,1", header="image,object,dog"),
        "image with 'object' (`image,object`) or image with 'object', 'dog' (`image,object,dog`)",
    ),
    "labels and one-hot": (
        table("pet,1,0", header="image,label,cat,dog"),
        "image with 'label' (`image,label`) or image with 'cat', 'dog' (`image,cat,dog`)",
    ),
}


@pytest.mark.parametrize("what", TWO_READINGS)
def test_both_readings_are_shown(write_folder, what):
    text, message = TWO_READINGS[what]
    root = write_folder(labels_csv=text)
    with pytest.raises(WsssError) as caught:
        Folder(root)
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"labels={root / 'labels.csv'}: ")
    assert message in problem.came


REFUSED = {
    "two tables": (table("cat|dog") + "\nimage,tags\na.jpg,cat", "line 11: `image,tags` is a"),
    "two one-hot tables": (
        table("1,0", header="image,cat,dog") + "\nimage,cat,dog\na.jpg,1,0",
        "line 11: `image,cat,dog` is a header, in the middle of the table",
    ),
    "a column twice": (
        table("1,0,1", header="image,cat,dog,cat"), "the header has the column 'cat' more than once"
    ),
    "scores": (table("0.9,0.1", header="image,cat,dog"), "line 2: `0.9` in the column `cat`"),
    "counts": (table("1,0", "1,2", header="image,cat,dog"), "line 3: `2` in the column `dog`"),
    "minus one": (table("1,-1", header="image,cat,dog"), "line 2: `-1` in the column `dog`"),
    "a name of their own": (
        table("cat", header="filename,species"),
        "the header `filename,species` names no column of labels",
    ),
    "names of their own": (
        table("cat", header="foto,species"), "`foto,species`, is neither a header with the names"
    ),
    "no header, images without files": (
        "gone,cat\ncat_0,cat", "the first line, `gone,cat`, is neither a header"
    ),
    "no header, three columns": (
        table("cat,dog").partition("\n")[2], "no header, and 3 columns"
    ),
    "NumPy's lists": (table("\"['cat' 'dog']\""), "line 2: `['cat' 'dog']` is no list of JSON or"),
    "bare lists": (table('"[cat, dog]"'), "line 2: `[cat, dog]` is no list of JSON or Python"),
    "lists and text": (
        table("cat", "\"['cat', 'dog']\""), "line 2: `cat`, but line 3: `['cat', 'dog']`"
    ),
    "lists of lists": (table('"[[""cat""]]"'), "line 2: `['cat']` in a list of labels"),
    "dictionaries": (
        table('"{""choices"": [""cat""]}"', "dog"), 'line 2: `{"choices": ["cat"]}`'
    ),
    "sets and text": (table("\"{'cat', 'dog'}\"", "cat"), "line 3: `cat`, but line 2: `{'cat', "),
    "lists of marks": (
        table('"[1, 0, 1]"', '"[0, 1, 0]"'), "line 2: `[1, 0, 1]` tells of every class whether it"
    ),
    "lists of words that are marks": (
        table('"[True, False]"', '"[False, True]"'), "line 2: `[True, False]` tells of every class"
    ),
    "a class without a name": (
        table("1,0", "0,1", header="image,,cat"), "the column no. 2 has 1 and 0, but no name"
    ),
    "a quote that closes rows later": (
        'image,labels\na.jpg,"cat\nb.jpg,bird\nc.jpg,dog"',
        "line 4: a cell in quotes goes over several lines, with the row `b.jpg,bird` in it",
    ),
    "a second table with a byte order mark": (
        table("cat") + "\n\ufeffimage,labels\na.jpg,dog", "line 11: `image,labels` is a header"
    ),
    "UTF-16 without a mark": (
        table("cat").encode("utf-16-le"), "line 1 has zero bytes, as UTF-16 without its mark does"
    ),
    "cp1252": (table("été").encode("cp1252"), "line 2 is not UTF-8 text (byte 0xE9)"),
    "half of UTF-16": (table("cat").encode("utf-16")[:-1], "is not UTF-16 text"),
    "quotes": (table("cat") + '\n"a.jpg,cat', "line 11 cannot be read as CSV"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_wrong_tables_get_one_message(write_folder, what):
    content, message = REFUSED[what]
    root = write_folder(labels_csv=None)
    content = content if isinstance(content, bytes) else content.encode()
    (root / "labels.csv").write_bytes(content)
    with pytest.raises(WsssError) as caught:
        Folder(root)
    (problem,) = caught.value.problems
    assert "labels.csv" in problem.where
    assert message in problem.came


COCO = {"images": [{"id": 1, "file_name": "cat_0.jpg"}], "annotations": [], "categories": []}
REFUSED_FILES = {
    "labels.json": {
        '{"a": \n[}': "line 2 is no JSON",
        '{"cat_0": 3}': "'cat_0' is neither a label nor a list of labels",
        '{"cat_0": ["cat"], "cat_0": ["dog"]}': "a dictionary has the key 'cat_0' twice",
        "[]": "`[]`",
        '["cat_0.jpg"]': "record 1: `'cat_0.jpg'`",
        json.dumps({**COCO, "annotations": [{"image_id": 1, "category_id": 7}]}): "the id 7",
        json.dumps({**COCO, "categories": None}): "no list of `categories`",
        json.dumps({**COCO, "images": COCO["images"] * 2}): "two images with the same id",
        json.dumps({**COCO, "categories": [{"id": 7, "name": name} for name in ("cat", "dog")]}): (
            "two categories with the same id"
        ),
        json.dumps({**COCO, "images": [{"id": 1}]}): "an image or a category without 'file_name'",
    },
    "labels.jsonl": {
        '{"image": "cat_0", "labels": []}\n{"image"': "line 2 is no JSON",
        '{"image": "cat_0", "labels": {"cat": 1}}': "line 1: `{'cat': 1}` in a list of labels",
        '{"image": "cat_0", "labels": [true, false]}\n': "line 1: `[True, False]` tells of every",
        '{"image": "cat_0", "labels": [{"name": "cat"}]}': "line 1: `{'name': 'cat'}` in a list",
    },
    "labels.xlsx": {"PK": "a spreadsheet's own file"},
    "labels.pkl": {"x": "a pickle, which may run anything"},
}


@pytest.mark.parametrize(
    ("file", "text"), [(file, text) for file, texts in REFUSED_FILES.items() for text in texts]
)
def test_wrong_files_get_one_message(write_folder, file, text):
    root = write_folder(labels_csv=None)
    (root / file).write_text(text)
    with pytest.raises(WsssError) as caught:
        Folder(root, labels=file)
    (problem,) = caught.value.problems
    assert str(root / file) in problem.where
    assert REFUSED_FILES[file][text] in problem.came


def tags(source):
    items = (item for split in ("train", "val") for item in source.items(split))
    return {item.id: {source.class_names[label - 1] for label in item.labels} for item in items}


@pytest.mark.parametrize(
    ("text", "how", "expected"),
    [
        (table('"lion, African"', '"lion, Asian"'), {"separator": "comma"}, {"lion", "African"}),
        (table('"lion, African"', '"lion, Asian"'), {"separator": "none"}, {"lion, African"}),
        (table("cat dog", "cat", "dog"), {"separator": "none"}, {"cat dog"}),
        (table("cat+dog", "cat", "dog"), {"separator": "+"}, {"cat", "dog"}),
        (table("cat_dog", "cat", "dog"), {"separator": "none"}, {"cat_dog"}),
        (table("\"['cat']\"", "\"['dog']\""), {"separator": "none"}, {"['cat']"}),
        (table("x,cat", header="foto,a,species"), {"columns": ["foto", "species"]}, {"cat"}),
        (table("cat,dog", header="image,tag1,tag2"), {"columns": ["image", "tag1", "tag2"]},
         {"cat", "dog"}),
        (table("pet,1,0", header="image,label,cat,dog"), {"columns": ["image", "cat", "dog"]},
         {"cat"}),
        (table("pet,1,0", header="image,label,cat,dog"), {"columns": ["image", "label"]}, {"pet"}),
        (table("1", "0", header="image,label"), {}, {"1"}),
        (table("1", "0", header="image,cat"), {}, {"cat"}),
    ],
)  # fmt: skip
def test_the_user_decides(write_folder, text, how, expected):
    assert tags(Folder(write_folder(labels_csv=text), **how))["cat_0"] == expected


def test_a_combination_that_classes_txt_lists_is_a_class(write_folder):
    text = table("cat+dog", "cat", "dog")
    root = write_folder(labels_csv=text, classes=["background", "cat", "dog", "cat+dog"])
    assert tags(Folder(root))["cat_0"] == {"cat+dog"}


def test_a_name_with_a_comma_is_told(write_folder, find_problem):
    source = Folder(write_folder(labels_csv=table('"black cat, ""tom"""', "dog")))
    assert source.class_names == ('black cat, "tom"', "dog")
    find_problem(
        source.inspect(), Severity.WARNING, "line 2: 'black cat, \"tom\"' is one class, with a `,`"
    )


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"columns": ["image", "species"]}, "header with the columns `image` and `species`"),
        ({"columns": ["image"]}, "a column of images and one or more of labels"),
        ({"separator": ""}, "separator=''"),
    ],
)  # fmt: skip
def test_wrong_decisions(write_folder, how, message):
    with pytest.raises(WsssError) as caught:
        Folder(write_folder(), **how)
    assert message in str(caught.value)


def test_further_columns_are_told(write_folder, find_problem):
    text = table("cat,20,train", header="image,labels,width,split")
    problems = Folder(write_folder(labels_csv=text)).inspect()
    find_problem(problems, Severity.WARNING, "the column 'width' is not read")
    find_problem(problems, Severity.WARNING, "the column 'split' is not read", "splits/train.txt")


def test_one_hot_columns_of_no_image_and_of_the_background(write_folder, find_problem):
    text = table("1,1,0,20", header="image,background,cat,bird,width")
    source = Folder(write_folder(labels_csv=text))
    assert source.class_names == ("cat",)
    find_problem(source.inspect(), Severity.WARNING, "the column 'background' is not read")
    find_problem(source.inspect(), Severity.WARNING, "1 column without a single image: 'bird'")
    find_problem(source.inspect(), Severity.WARNING, "the column 'width' is not read")


def test_a_separator_without_cells_is_told(write_folder, find_problem):
    root = write_folder(labels_csv=table("1,0", header="image,cat,dog"))
    problems = Folder(root, separator="comma").inspect()
    find_problem(problems, Severity.WARNING, "`separator` is comma, but labels are not in cells")


def test_several_tables(write_folder):
    root = write_folder(labels_csv=None)
    for file in ("labels.tsv", "labels.json"):
        (root / file).write_text("{}")
    with pytest.raises(WsssError, match=r"'labels\.tsv', 'labels\.json'\. .*Name the one"):
        Folder(root)
    (root / "labels.csv").write_text(table("cat"))
    assert Folder(root).class_names == ("cat",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["train/cat/1.jpg", "val/cat/2.jpg"],
            r"in folders named 'train', 'val', which",
        ),
        (["pet/cat/1.jpg", "wild/2.jpg"], r"'pet/cat/1\.jpg' can be read in two ways: .* 'pet' or"),
        (
            ["cat/1.jpg", "dog/2.jpg", "cat_dog/3.jpg"],
            r"'cat_dog' is either one class of",
        ),
        (["all/1.jpg", "all/2.jpg"], r"labels=labels\.csv: no such file in"),
        (["cat/1.jpg", "dog/2.jpg", "3.jpg"], r"labels=labels\.csv: no such file in"),
    ],
)
def test_folders_that_are_no_classes(write_folder, files, message):
    root = write_folder(dict.fromkeys(files, ()), labels_csv=None)
    with pytest.raises(WsssError, match=message):
        Folder(root)


def test_images_beside_the_folders_of_classes(write_folder, find_problem):
    files = ["cat/1.jpg", "dog/2.jpg", "3.jpg"]
    root = write_folder(dict.fromkeys(files, ()), labels_csv=None)
    source = Folder(root, labels="images")
    assert tags(source) == {"cat/1": {"cat"}, "dog/2": {"dog"}}
    find_problem(source.inspect(), Severity.WARNING, "1 image has no row: '3.jpg'")


def test_numbers_that_lost_their_zeros_are_no_match(write_folder, find_problem):
    images = {f"{i:04}.jpg": ["cat"] for i in range(1, 4)}
    text = "image_id,label\n0001,cat\n2,cat\n0003,cat"
    source = Folder(write_folder(images, labels_csv=text))
    assert set(tags(source)) == {"0001", "0003"}
    find_problem(
        source.inspect(), Severity.ERROR, "line 3: no image '2' (did you mean '0002.jpg'?)"
    )


def test_an_xml_file_with_a_document_type_is_refused(write_folder, find_problem):
    root = write_folder(labels_csv=None)
    (root / "Annotations").mkdir()
    good = "<annotation><object><name>cat</name></object></annotation>"
    bomb = f'<!DOCTYPE x [<!ENTITY e "cat">]>{good.replace("cat", "&e;")}'
    for name, text in (
        ("cat_0", good),
        ("cat_1", bomb),
        ("cat_2", "<annotation>"),
        ("dog_0", "<a/>"),
    ):
        (root / "Annotations" / f"{name}.xml").write_text(text)
    source = Folder(root)
    assert set(tags(source)) == {"cat_0"}
    for name, came in (("1", "document type"), ("2", "no element found"), ("0", "no <annotation>")):
        find_problem(source.inspect(), Severity.ERROR, f"_{name}.xml: unreadable annotation", came)
