"""The same tags in every form that people have them: one `Source`, and one line that says how."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from wsss.data.sources.folder.folder import Folder
from wsss.errors import Severity

TAGS = {
    f"{kind}{i}": [kind] if i % 3 else ["cat", "dog"] for kind in ("cat", "dog") for i in range(5)
}
"""Ten images, in the order in which a folder lists them."""
IDS = {name: number for number, name in enumerate(TAGS, 1)}


def table(rows, delimiter=","):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


def cells(join, header=("image", "labels"), delimiter=","):
    return table([header, *([f"{n}.jpg", join(t)] for n, t in TAGS.items())], delimiter)


def one_hot(yes, no, header=("image", "cat", "dog")):
    marks = ([yes if c in t else no for c in ("cat", "dog")] for t in TAGS.values())
    return table([header, *([f"{n}.jpg", *m] for n, m in zip(TAGS, marks, strict=True))])


def long(header=("image", "label"), *more):
    rows = ([f"{n}.jpg", label, *more] for n, t in TAGS.items() for label in t)
    return table([header, *rows])


def indexed(text):
    """A table with the index that a data frame puts before it."""
    first, *rest = text.splitlines()
    return "\n".join([f",{first}", *(f"{i},{line}" for i, line in enumerate(rest))])


def entries(path):
    return table([("image", "labels"), *((path(n), "|".join(t)) for n, t in TAGS.items())])


RECORDS = [{"image": f"{n}.jpg", "labels": t} for n, t in TAGS.items()]
COCO = {
    "images": [{"id": i, "file_name": f"{n}.jpg", "width": 32} for n, i in IDS.items()],
    "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}, {"id": 1, "name": "cow"}],
    "annotations": [
        {"image_id": IDS[n], "category_id": {"cat": 17, "dog": 18}[label], "iscrowd": i % 2}
        for i, (n, label) in enumerate((n, label) for n, t in TAGS.items() for label in t + t[:1])
    ],
}  # fmt: skip
PIPE = cells("|".join)

TEXTS = {
    "labels.csv": {
        "pipe": (PIPE, "columns image, labels; labels separated by `|`"),
        "pipe with spaces": (cells(" | ".join), "labels separated by `|`"),
        "comma in quotes": (cells(",".join), "labels separated by `,`"),
        "comma and space": (cells(", ".join), "labels separated by `,`"),
        "semicolon": (cells(";".join), "labels separated by `;`"),
        "space": (cells(" ".join), "labels separated by white space"),
        "closing semicolon": (cells(lambda t: "".join(f"{c};" for c in t)), "separated by `;`"),
        "python list": (cells(str), "labels in lists"),
        "python tuple": (cells(lambda t: str(tuple(t))), "labels in lists"),
        "json list": (cells(json.dumps), "labels in lists"),
        "long": (long(), "columns image, label; one label a cell, one row an image and label"),
        "one-hot": (one_hot(1, 0), "column image; one column a class, with yes or no"),
        "one-hot, floats": (one_hot("1.0", "0.0"), "one column a class"),
        "one-hot, words": (one_hot(True, False, ("filename", "cat", "dog")), "column filename"),
        "one-hot, yes": (one_hot("yes", ""), "one column a class"),
        "one-hot, other order": (
            table([(a, c, b) for a, b, c in csv.reader(one_hot("Y", "n").splitlines())]),
            "one column a class",
        ),
        "one-hot, images as index": (one_hot(1, 0, ("", "cat", "dog")), "column no. 1; one"),
        "filename and label": (cells("|".join, ("filename", "label")), "columns filename, label"),
        "File Name and Tags": (cells("|".join, ("File Name", "Tags")), "columns File Name, Tags"),
        "image_id and category": (cells("|".join, ("image_id", "category")), "image_id, category"),
        "a name of their own": (cells("|".join, ("foto", "class")), "columns foto, class"),
        "index": (indexed(PIPE), "columns image, labels; labels separated by `|`"),
        "index of one-hot": (indexed(one_hot(1, 0)), "one column a class"),
        "numbered": (
            table([("id", "path", "class"), *((i, f"{n}.jpg", "|".join(TAGS[n]))
                                              for n, i in IDS.items())]),
            "columns path, class",
        ),
        "semicolons": (cells("|".join, delimiter=";"), "semicolons between columns"),
        "semicolons and commas": (cells(",".join, delimiter=";"), "labels separated by `,`"),
        "hint for Excel": ("sep=;\n" + cells("|".join, delimiter=";"), "semicolons between"),
        "no header": (PIPE.partition("\n")[2], "no header; labels separated by `|`"),
        "labels first": (
            table([("labels", "image"), *(("|".join(t), n) for n, t in TAGS.items())]),
            "columns image, labels",
        ),
        "blank lines": ("\n" + PIPE.replace("\n", "\n\n"), "labels separated by `|`"),
        "folder": (entries(lambda n: f"images/{n}.jpg"), "labels separated by `|`"),
        "dot": (entries(lambda n: f"./{n}.jpg"), "labels separated by `|`"),
        "backslashes": (entries(lambda n: f"images\\{n}.jpg"), "labels separated by `|`"),
        "no extension": (entries(str), "labels separated by `|`"),
        "many rows of a box": (
            long(("filename", "class", "xmin", "width"), 3, 20) + "cat0.jpg,cat,9,9\n",
            "one row an image and label",
        ),
    },
    "labels.tsv": {"tabs": (cells("|".join, delimiter="\t"), "tabs between columns")},
    "labels.txt": {"text": (cells(",".join, delimiter="\t"), "tabs between columns")},
    "labels.jsonl": {
        "lists": ("\n".join(map(json.dumps, RECORDS)), "JSON lines; columns image, labels"),
        "text": (
            "\n".join(json.dumps({"file_name": f"{n}.jpg", "text": None, "tags": "|".join(t)})
                      for n, t in TAGS.items()),
            "JSON lines; columns file_name, tags; labels separated by `|`",
        ),
        "one label or a list": (
            "\n".join(json.dumps({"image": n, "label": t if t[1:] else t[0]})
                      for n, t in TAGS.items()),
            "labels in lists",
        ),
        "one-hot": (
            "\n".join(json.dumps({"image": n, "cat": "cat" in t, "dog": int("dog" in t)})
                      for n, t in TAGS.items()),
            "one column a class",
        ),
    },
    "labels.json": {
        "records": (json.dumps(RECORDS, indent=1), "JSON records; columns image, labels"),
        "dictionary": (json.dumps(TAGS), "a JSON dictionary"),
        "dictionary of text": (
            json.dumps({n: ", ".join(t) for n, t in TAGS.items()}), "labels separated by `,`"
        ),
        "COCO": (json.dumps(COCO), "instances of COCO; 2 of 3 categories used"),
    },
}  # fmt: skip
FORMS = [(file, what) for file, forms in TEXTS.items() for what in forms]


def identity(source):
    """All that the stages see of a source's tags."""
    splits = ("train", "val")
    return (
        source.class_names,
        [[(item.id, item.labels) for item in source.items(split)] for split in splits],
        [source.fingerprint(split) for split in splits],
    )


@pytest.fixture
def root(write_folder):
    return write_folder({f"{n}.jpg": t for n, t in TAGS.items()}, labels_csv=None)


@pytest.fixture
def expected(write_folder):
    source = Folder(write_folder({f"{n}.jpg": t for n, t in TAGS.items()}, root="expected"))
    assert source.class_names == ("cat", "dog")
    found = {item.id: item.labels for split in ("train", "val") for item in source.items(split)}
    values = {"cat": 1, "dog": 2}
    assert found == {n: tuple(values[label] for label in t) for n, t in TAGS.items()}
    return identity(source)


def errors(source):
    return [p for p in source.inspect() if p.severity == Severity.ERROR]


@pytest.mark.parametrize(("file", "what"), FORMS)
def test_every_form_is_the_same_source(root, expected, file, what):
    text, reading = TEXTS[file][what]
    (root / file).write_text(text, encoding="utf-8", newline="")
    source = Folder(root)
    assert identity(source) == expected
    assert source.described.startswith(f"{file}: 10 images, 2 classes; ")
    assert reading in source.described
    assert not errors(source)


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le with mark", "utf-16-be with mark"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_with_a_mark_and_every_line_end(root, expected, encoding, end):
    name, _, mark = encoding.partition(" with ")
    text = ("\ufeff" if mark else "") + PIPE.replace("\n", end)
    (root / "labels.csv").write_bytes(text.encode(name))
    (root / "classes.txt").write_bytes(f"background{end}cat{end}dog".encode("utf-16"))
    assert identity(Folder(root)) == expected


def test_absolute_paths_inside_the_images_folder(root, expected, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    for place in (root / "images", link / "images"):
        (root / "labels.csv").write_text(entries(lambda n, place=place: place / f"{n}.jpg"))
        assert identity(Folder(link)) == expected


def test_xml_files_of_voc(root, expected):
    folder = root / "Annotations"
    folder.mkdir()
    for name, labels in TAGS.items():
        objects = "".join(
            f"<object><name>{label}</name><difficult>1</difficult><part><name>head</name></part>"
            "<bndbox><xmin>1</xmin></bndbox></object>"
            for label in labels + labels[:1]
        )
        # Tools write the name that an image had when it was annotated.
        stale = "old.jpg" if name != "dog4" else "dog4.jpg"
        file = folder / (f"{name}.xml" if name != "dog4" else "zz.xml")
        file.write_text(f"<annotation><filename>{stale}</filename>{objects}</annotation>")
    source = Folder(root)
    assert identity(source) == expected
    assert (
        source.described == "Annotations/: 10 images, 2 classes; 10 XML files of PASCAL VOC's kind"
    )
    assert identity(Folder(root, labels="Annotations")) == expected


def test_one_folder_a_class(write_folder):
    images = {f"{kind}/{i:03}.jpg": [kind] for kind in ("cat", "dog") for i in range(4)}
    table = Folder(write_folder(images))
    source = Folder(write_folder(images, labels_csv=None, root="folders"))
    assert identity(source) == identity(table)
    assert source.described == (
        "images/: 8 images, 2 classes; no table, the folder of an image is its class"
    )


@pytest.mark.parametrize("key", [str, lambda name: np.str_(name), lambda name: f"{name}.jpg"])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool, ">f4"])
def test_the_dictionary_of_published_repositories(root, expected, key, dtype):
    arrays = {key(n): np.array(["cat" in t, "dog" in t], dtype) for n, t in TAGS.items()}
    np.save(root / "cls_labels.npy", arrays)
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    source = Folder(root)
    assert identity(source) == expected
    assert "dictionary of arrays; classes of classes.txt" in source.described


def test_numbers_of_voc_and_its_twenty_classes(write_folder):
    names = ("2007_000032", "2007_000039", "2011_003276")
    images = {f"{n}.jpg": [] for n in names}
    shown = {"2007_000032": (0, 14), "2007_000039": (19,), "2011_003276": ()}
    root = write_folder(images, labels_csv=None)
    arrays = {}
    for name, classes in shown.items():
        arrays[np.int32(name.replace("_", ""))] = array = np.zeros(20, np.float32)
        array[list(classes)] = 1
    np.save(root / "cls_labels.npy", arrays)
    source = Folder(root)
    tags = {
        item.id: [source.class_names[label - 1] for label in item.labels]
        for split in ("train", "val") for item in source.items(split)
    }  # fmt: skip
    assert tags == {
        "2007_000032": ["aeroplane", "person"], "2007_000039": ["tvmonitor"], "2011_003276": [],
    }  # fmt: skip
    assert "classes of VOC's twenty, as nothing says other" in source.described


def test_images_without_labels_in_every_form(write_folder):
    images = {"a.jpg": ["cat"], "b.jpg": [], "c.jpg": ["dog"], "d.jpg": ["cat", "dog"]}
    expected = identity(Folder(write_folder(images)))
    instances = {
        "images": [{"id": i, "file_name": n} for i, n in enumerate(images)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"image_id": i, "category_id": c} for i, c in ((0, 1), (2, 2), (3, 1), (3, 2))
        ],
    }
    forms = {
        "labels.csv": "image,labels\na.jpg,\"['cat']\"\nb.jpg,[]\nc.jpg,\"['dog']\"\n"
        "d.jpg,\"['cat', 'dog']\"\n",
        "long.csv": "image,label\na.jpg,cat\nb.jpg,\nc.jpg,dog\nd.jpg,cat\nd.jpg,dog\n",
        "blank.csv": 'image,labels\na.jpg,cat\nb.jpg\nc.jpg,dog\nd.jpg,"cat,dog"\n',
        "one_hot.csv": "image,cat,dog\na.jpg,1,\nb.jpg,,\nc.jpg,,1\nd.jpg,1,1\n",
        "labels.json": '{"a": ["cat"], "b": [], "c": "dog", "d": ["cat", "dog"]}',
        "lines.jsonl": '{"image": "a", "labels": ["cat"]}\n{"image": "b", "labels": null}\n'
        '{"image": "c", "labels": ["dog"]}\n{"image": "d", "labels": ["cat", "dog"]}\n',
        "coco.json": json.dumps(instances),
    }
    root = write_folder(images, labels_csv=None, root="forms")
    for file, text in forms.items():
        (root / file).write_text(text)
        assert identity(Folder(root, labels=file)) == expected, file


def test_classes_txt_decides_their_order_in_every_form(root):
    (root / "classes.txt").write_text("background\ndog\ncow\ncat\n")
    for file, form in (("labels.csv", one_hot(1, 0)), ("labels.json", json.dumps(COCO))):
        (root / file).write_text(form)
        source = Folder(root, labels=file)
        assert source.class_names == ("dog", "cow", "cat")
        items = {item.id: item for split in ("train", "val") for item in source.items(split)}
        assert items["cat0"].labels == (1, 3)


def test_masks_of_coco_are_not_looked_at(root, expected):
    instances = json.loads(json.dumps(COCO))
    for one in instances["annotations"]:
        one |= {"segmentation": "nonsense", "bbox": None, "area": "?"}
    (root / "labels.json").write_text(json.dumps(instances))
    assert identity(Folder(root)) == expected


def test_a_picture_called_image_is_no_header(write_folder):
    root = write_folder({"image.jpg": ["labels"], "b.jpg": ["dog"]}, labels_csv=None)
    (root / "labels.csv").write_text("image,labels\nimage,labels\nb,dog\n")
    assert Folder(root).class_names == ("dog", "labels")
    Image.new("RGB", (32, 24)).save(root / "images" / "c.jpg")
    (root / "labels.csv").write_text("image.jpg,labels\nb.jpg,dog\n")
    assert Folder(root).class_names == ("dog", "labels")
