"""Shards and tables made from a folder data set are that data set."""

import io
import json
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from wsss.data.data_report import inspect_item
from wsss.data.source import SPLITS, TRAIN, VAL
from wsss.data.sources.folder import Folder
from wsss.data.sources.huggingface import HuggingFace, huggingface
from wsss.data.sources.synthetic import Synthetic
from wsss.data.sources.webdataset import WebDataset
from wsss.errors import InvalidOptionError, WsssError

datasets = pytest.importorskip("datasets")
pytest.importorskip("webdataset")

SPLIT_IDS = {
    TRAIN: [f"{name}_{number}" for number in range(2) for name in ("cat", "dog", "both")],
    VAL: ["cat_2", "dog_2", "both_2"],
}


@pytest.fixture
def folder(write_folder):
    return Folder(write_folder(masks=True, splits=SPLIT_IDS, classes=("background", "cat", "dog")))


def names_of(folder, item):
    return [folder.class_names[label - 1] for label in item.labels]


def write_shard(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def write_shards(folder, root, label_file, masks=True):
    """A sample is an image, its labels and its mask; two samples a shard."""
    root.mkdir()
    for split in SPLITS:
        items = folder.items(split)
        for shard, start in enumerate(range(0, len(items), 2)):
            files = {}
            for item in items[start : start + 2]:
                ending, content = label_file(folder, item)
                files[f"{item.id}.{ending}"] = content.encode()
                files[f"{item.id}.jpg"] = item.image.read_bytes()
                if masks:
                    files[f"{item.id}.mask.png"] = item.mask.read_bytes()
            write_shard(root / f"{split}-{shard:03d}.tar", files)
    return root


def as_json(folder, item):
    return "json", json.dumps({"labels": names_of(folder, item), "width": 32})


def as_text(folder, item):
    return "txt", "\n".join(names_of(folder, item)) + "\n"


def saved_table(folder, path, feature, value):
    """A `DatasetDict` on disk with encoded images."""

    def rows(split):
        items = folder.items(split)
        return {
            "image": [{"bytes": item.image.read_bytes(), "path": None} for item in items],
            "labels": [value(folder, item) for item in items],
            "mask": [{"bytes": item.mask.read_bytes(), "path": None} for item in items],
            "name": [item.id for item in items],
        }

    features = datasets.Features(
        {
            "image": datasets.Image(),
            "labels": feature,
            "mask": datasets.Image(),
            "name": datasets.Value("string"),
        }
    )
    tables = {
        name: datasets.Dataset.from_dict(rows(split), features=features)
        for name, split in (("train", TRAIN), ("validation", VAL))
    }
    datasets.DatasetDict(tables).save_to_disk(path)
    return path


NAMED = datasets.Sequence(datasets.ClassLabel(names=["cat", "dog"]))


@pytest.fixture(params=["json", "txt", "class labels", "names"])
def embedded(request, folder, tmp_path):
    place = tmp_path / "packed"
    if request.param == "json":
        return WebDataset(write_shards(folder, place, as_json))
    if request.param == "txt":
        return WebDataset(write_shards(folder, place, as_text), labels="txt")
    if request.param == "names":
        strings = datasets.Sequence(datasets.Value("string"))
        saved_table(folder, place, strings, names_of)
    else:
        saved_table(folder, place, NAMED, lambda _, item: [label - 1 for label in item.labels])
    return HuggingFace(place, mask="mask", id="name")


def test_items_images_and_masks_are_those_of_the_folder(folder, embedded):
    assert embedded.class_names == folder.class_names
    for split in SPLITS:
        for one, other in zip(embedded.items(split), folder.items(split), strict=True):
            assert (one.id, one.labels) == (other.id, other.labels)
            for read in ("read_image", "read_mask"):
                expected = getattr(folder, read)(other)
                np.testing.assert_array_equal(getattr(embedded, read)(one), expected)
            assert inspect_item(embedded, one).problems == ()
    assert embedded.inspect() == []


def test_fingerprints_are_those_of_the_folder(folder, embedded):
    """So that its results are found, whatever the images are packed in."""
    for split in SPLITS:
        assert embedded.fingerprint(split) == folder.fingerprint(split)
        assert embedded.mask_fingerprint(split) == folder.mask_fingerprint(split)


def test_fingerprints_are_found_once_in_a_run(folder, embedded, tmp_path):
    embedded.keep_index(tmp_path / "index")
    before = [embedded.fingerprint(split) for split in SPLITS]
    for path in (tmp_path / "packed").glob("*.tar"):
        path.unlink()
    assert [embedded.fingerprint(split) for split in SPLITS] == before
    assert before == [folder.fingerprint(split) for split in SPLITS]


def test_a_process_reads_what_it_is_sent_without_a_list_of_items(embedded):
    (item, *_) = embedded.items(VAL)
    sent = pickle.loads(pickle.dumps(embedded.reader))
    assert len(sent.items(TRAIN)) == len(sent.items(VAL)) == 0
    for read in ("read_image", "read_mask"):
        np.testing.assert_array_equal(getattr(sent, read)(item), getattr(embedded, read)(item))
    assert (sent.tags(item) == embedded.tags(item)).all()
    assert len(embedded.items(TRAIN)) == 6


def test_a_table_is_split_by_ids_as_a_folder_is(folder, write_folder, tmp_path):
    six = {f"{item.id}.jpg": names_of(folder, item) for item in folder.items(TRAIN)}
    names = ("background", "cat", "dog")
    expected = Folder(write_folder(six, masks=True, root="six", classes=names))
    path = saved_table(
        folder, tmp_path / "table", NAMED, lambda _, i: [one - 1 for one in i.labels]
    )
    table = HuggingFace(path, val=None, mask="mask", id="name")
    for split in SPLITS:
        assert len(table.items(split)) > 0
        assert [*table.items(split).tags()] == [*expected.items(split).tags()]
        assert table.fingerprint(split) == expected.fingerprint(split)
        assert table.mask_fingerprint(split) == expected.mask_fingerprint(split)


def test_a_validation_split_of_another_name_is_not_passed_over(folder, tmp_path):
    path = saved_table(folder, tmp_path / "table", NAMED, lambda _, item: [0])
    with pytest.raises(InvalidOptionError, match="did you mean 'validation'") as caught:
        HuggingFace(path, val="valid")
    assert caught.value.option == "val"


def test_addresses_are_of_what_is_there(folder, tmp_path, monkeypatch):
    path = saved_table(folder, tmp_path / "a table", NAMED, lambda _, item: [0])
    assert HuggingFace(path).address == path.as_uri()
    monkeypatch.setattr(huggingface, "opened_tables", lambda _: datasets.load_from_disk(path))
    of_hub = HuggingFace("someone/pets")
    assert (of_hub.name, of_hub.address) == ("pets", "hf://datasets/someone/pets")
    assert folder.address == folder.root.as_uri()
    assert Synthetic().address == ""


def test_large_files_have_the_fingerprint_of_their_ends(write_folder, tmp_path):
    """More than 8 KiB, of which the middle is not looked at."""
    root = write_folder(size=(200, 300), splits=SPLIT_IDS, classes=("background", "cat", "dog"))
    folder = Folder(root)
    assert folder.items(TRAIN)[0].image.stat().st_size > 3 * 4096
    shards = WebDataset(write_shards(folder, tmp_path / "shards", as_json, masks=False))
    assert shards.fingerprint(TRAIN) == folder.fingerprint(TRAIN)
    assert shards.read_mask(shards.items(TRAIN)[0]) is None


def test_class_numbers_need_a_list_of_names(folder, tmp_path):
    root = write_shards(
        folder, tmp_path / "shards", lambda _, item: ("cls", str(item.labels[0] - 1))
    )
    with pytest.raises(WsssError, match="labels that are numbers"):
        WebDataset(root, labels="cls").items(TRAIN)
    (root / "classes.txt").write_text("background\ncat\ndog\n", encoding="utf-8")
    found = WebDataset(root, labels="cls")
    assert [item.labels for item in found.items(TRAIN)] == [
        item.labels[:1] for item in folder.items(TRAIN)
    ]


def test_one_split_is_split_by_the_ids_as_a_folder_is(folder, tmp_path):
    root = write_shards(folder, tmp_path / "shards", as_json)
    shards = WebDataset(root, train="train-{000..002}.tar", val=None)
    ids = {item.id for split in SPLITS for item in shards.items(split)}
    assert ids == set(SPLIT_IDS[TRAIN])
    assert all(shards.items(split) for split in SPLITS)


def test_rows_are_numbered_without_a_column_of_ids(folder, tmp_path):
    path = saved_table(folder, tmp_path / "table", NAMED, lambda _, item: [0])
    table = HuggingFace(path)
    assert [item.id for item in table.items(VAL)] == ["val_000000", "val_000001", "val_000002"]
    assert table.read_mask(table.items(VAL)[0]) is None
    assert np.array_equal(
        table.read_image(table.items(VAL)[2]), folder.read_image(folder.items(VAL)[2])
    )


def test_an_unreadable_image_is_told_by_its_place(folder, tmp_path):
    root = write_shards(folder, tmp_path / "shards", as_json)
    files = {"x.jpg": b"no image", "x.json": b'{"labels": ["cat"]}'}
    write_shard(root / "val-009.tar", files)
    found = WebDataset(root)
    item = found.items(VAL)[-1]
    with pytest.raises(WsssError, match=r"val-009\.tar/x\.jpg: not an image"):
        found.read_image(item)
    (problem,) = inspect_item(found, item).problems
    assert problem.severity == "skipped"


def test_a_mask_of_another_size_is_told_by_its_place(folder, tmp_path):
    root = write_shards(folder, tmp_path / "shards", as_json)
    stream = io.BytesIO()
    Image.new("L", (5, 5)).save(stream, "PNG")
    image = folder.items(VAL)[0].image.read_bytes()
    files = {"x.jpg": image, "x.json": b'{"labels": ["cat"]}', "x.mask.png": stream.getvalue()}
    write_shard(root / "val-009.tar", files)
    found = WebDataset(root)
    with pytest.raises(WsssError, match=r"val-009\.tar/x\.mask\.png"):
        found.read_mask(found.items(VAL)[-1])


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"x.jpg": b"", "x.json": b"{"}, "unreadable labels"),
        ({"x.jpg": b"", "x.json": b'{"labels": ["bird"]}'}, "the label 'bird'"),
        ({"cat_0.jpg": b"", "cat_0.json": b"{}"}, "'cat_0' is in another shard"),
    ],
)
def test_wrong_samples_are_told(folder, tmp_path, files, said):
    root = write_shards(folder, tmp_path / "shards", as_json)
    (root / "classes.txt").write_text("background\ncat\ndog\n", encoding="utf-8")
    write_shard(root / "val-009.tar", files)
    with pytest.raises(WsssError, match=said):
        WebDataset(root).items(TRAIN)


def test_a_damaged_shard_is_told(folder, tmp_path):
    root = write_shards(folder, tmp_path / "shards", as_json)
    (root / "val-009.tar").write_bytes(b"x" * 2000)
    with pytest.raises(WsssError, match=r"val-009\.tar: no readable tar file"):
        WebDataset(root).items(TRAIN)


def test_what_is_not_there_is_told(folder, tmp_path):
    with pytest.raises(WsssError, match="no such folder"):
        WebDataset(tmp_path / "none")
    (tmp_path / "none").mkdir()
    with pytest.raises(WsssError, match="no such file in"):
        WebDataset(tmp_path / "none")
    path = saved_table(folder, tmp_path / "table", NAMED, lambda _, item: [0])
    for options, said in (
        ({"train": "trian"}, "did you mean 'train'"),
        ({"labels": "label"}, "did you mean 'labels'"),
        ({"id": "labels"}, "several rows have the id"),
    ):
        with pytest.raises(WsssError, match=said):
            HuggingFace(path, **options)
