import pickle
import shutil
import unicodedata

import pytest
from PIL import Image

from wsss.data.sources.folder.folder import Folder
from wsss.errors import Severity, WsssError

ERROR, WARNING = Severity.ERROR, Severity.WARNING


def ids(source, split):
    return [item.id for item in source.items(split)]


def all_items(source):
    return {item.id: item for split in ("train", "val") for item in source.items(split)}


def write_images(folder, *files):
    for file in files:
        path = folder / "images" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 24)).save(path)


# What works.


def test_plain_folder(write_folder):
    source = Folder(write_folder(masks=True))
    items = all_items(source)
    assert source.name == "pets"
    assert source.class_names == ("cat", "dog")
    assert {i: item.labels for i, item in items.items() if i.endswith("0")} == {
        "cat_0": (1,), "dog_0": (2,), "both_0": (1, 2),
    }  # fmt: skip
    assert source.read_image(items["both_0"]).shape == (24, 32, 3)
    assert set(source.read_mask(items["both_0"]).ravel()) == {0, 1, 2}
    assert source.inspect() == ()
    assert pickle.loads(pickle.dumps(source)).items("val") == source.items("val")


def test_entries_may_lack_extensions_and_be_nested(write_folder):
    folder = write_folder(
        {"cats/001.jpg": ["cat"], "a.b.JPG": ["dog"], "x/y/z.tiff": ["cat"], "my dog.png": []},
        labels_csv="image,labels\ncats/001,cat\na.b,dog\n./x/y/z.tiff,cat\nmy dog.png,\n",
    )
    items = all_items(Folder(folder))
    assert set(items) == {"cats/001", "a.b", "x/y/z", "my dog"}
    assert items["my dog"].labels == ()
    assert items["cats/001"].image == folder / "images/cats/001.jpg"


def test_table_from_a_spreadsheet(write_folder):
    csv = '\ufeffImage,Labels,,\r\ncats\\1.jpg, dog | cat |cat|,,\r\n,,,\r\n\r\n"a,b.jpg",cat,,\r\n'
    folder = write_folder({"cats/1.jpg": ["cat"], "a,b.jpg": ["dog"]}, labels_csv=csv)
    items = all_items(Folder(folder))
    assert {i: item.labels for i, item in items.items()} == {"cats/1": (1, 2), "a,b": (1,)}


@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_unicode_ids_in_either_form(write_folder, written):
    name = "Föhn/été 猫 🐈"
    folder = write_folder(
        {unicodedata.normalize("NFD", f"{name}.jpg"): ["cat"], "b.jpg": ["cat"]},
        labels_csv=f"image,labels\n{unicodedata.normalize(written, name)}.jpg,cat\nb.jpg,cat\n",
        masks=True,
    )
    source = Folder(folder)
    assert set(all_items(source)) == {unicodedata.normalize("NFC", name), "b"}
    assert all(item.mask for item in all_items(source).values())
    assert source.inspect() == ()


def test_classes_file_orders_the_classes(write_folder):
    source = Folder(write_folder(classes=["background", "dog", "bird", "cat"]))
    assert source.class_names == ("dog", "bird", "cat")
    assert all_items(source)["both_0"].labels == (1, 3)


def test_split_lists_keep_their_order(write_folder):
    folder = write_folder(splits={"train": ["dog_0", "cat_1.jpg", ""], "holdout": ["both_0"]})
    source = Folder(folder, val="holdout.txt")
    assert ids(source, "train") == ["dog_0", "cat_1"]
    assert ids(source, "val") == ["both_0"]


def test_hash_split_is_stable_when_images_are_added(write_folder):
    few = Folder(write_folder({f"{i}.jpg": ["cat"] for i in range(200)}, size=(2, 2)))
    more = Folder(write_folder({f"{i}.jpg": ["cat"] for i in range(260)}, size=(2, 2), root="more"))
    assert set(ids(few, "train")) < set(ids(more, "train"))
    assert set(ids(few, "val")) < set(ids(more, "val"))
    assert 25 <= len(ids(few, "val")) <= 55


@pytest.mark.parametrize("num_images", [2, 3, 4, 5])
@pytest.mark.parametrize("val_fraction", [0.01, 0.99])
def test_hash_split_is_never_empty(write_folder, num_images, val_fraction):
    folder = write_folder({f"{i}.jpg": ["cat"] for i in range(num_images)}, size=(2, 2))
    source = Folder(folder, val_fraction=val_fraction)
    assert ids(source, "train")
    assert ids(source, "val")


def test_hidden_files_are_no_images(write_folder):
    folder = write_folder()
    for name in (".DS_Store", "._cat_0.jpg", "__MACOSX/cat_0.jpg", ".cache/cat_9.jpg"):
        path = folder / "images" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"junk")
    assert Folder(folder).inspect() == ()


def test_links_are_followed_and_loops_survived(write_folder, tmp_path):
    folder = write_folder()
    shutil.move(folder / "images", tmp_path / "elsewhere")
    (folder / "images").mkdir()
    (folder / "images" / "pets").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(folder / "images")
    (folder / "labels.csv").write_text("image,labels\npets/cat_0,cat\npets/dog_0,dog\n")
    assert set(all_items(Folder(folder))) == {"pets/cat_0", "pets/dog_0"}


# Fingerprints.


def test_fingerprint_ignores_place_and_times(write_folder, tmp_path):
    folder = write_folder(masks=True)
    copy = shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    for split in ("train", "val"):
        one, two = Folder(folder), Folder(copy)
        assert one.fingerprint(split) == two.fingerprint(split)
        assert one.mask_fingerprint(split) == two.mask_fingerprint(split)


def test_fingerprint_sees_images_and_labels_but_no_masks(write_folder):
    folder = write_folder(masks=True)
    before = Folder(folder)
    image, mask = before.items("train")[0].image, before.items("train")[0].mask
    prints = before.fingerprint("train"), before.mask_fingerprint("train")

    Image.new("L", (32, 24)).save(mask)
    assert Folder(folder).fingerprint("train") == prints[0]
    assert Folder(folder).mask_fingerprint("train") != prints[1]

    Image.new("RGB", (32, 24)).save(image)
    assert Folder(folder).fingerprint("train") != prints[0]

    repainted = Folder(folder).fingerprint("train")
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("cat|dog", "dog"))
    assert Folder(folder).fingerprint("train") != repainted


# Nothing to work with.


def test_no_root(write_folder):
    folder = write_folder()
    with pytest.raises(WsssError, match=r"^root=.*/pet: no such folder \(did you mean 'pets'\?\)"):
        Folder(folder.with_name("pet"))


def test_no_images_folder(write_folder):
    folder = write_folder()
    (folder / "images").rename(folder / "image")
    with pytest.raises(WsssError, match=r"^images=images: no such folder.*mean 'image'.*Move"):
        Folder(folder)


def test_images_beside_their_folder(write_folder):
    folder = write_folder()
    for file in (folder / "images").iterdir():
        file.rename(folder / file.name)
    (folder / "images").rmdir()
    with pytest.raises(WsssError, match=r"9 images lie in .*pets itself.*Move the images there"):
        Folder(folder)


def test_no_labels_shows_how_to_write_them(write_folder):
    folder = write_folder({"cats/1.jpg": ["cat"], "b.jpg": ["dog"]}, labels_csv=None)
    (folder / "tags.csv").touch()
    with pytest.raises(WsssError) as caught:
        Folder(folder)
    message = str(caught.value)
    assert message.startswith("labels=labels.csv: no such file in ")
    assert "; there is 'tags.csv'" in message
    assert "separated by `|`" in message
    assert message.endswith("image,labels\nb.jpg,cat\ncats/1.jpg,cats")


def test_no_labels_and_no_images_shows_an_example(write_folder):
    with pytest.raises(WsssError, match=r"image,labels\ncats/001\.jpg,cat\n002\.jpg,cat\|dog"):
        Folder(write_folder({}, labels_csv=None))


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ("\n", "an empty file"),
        ("cat_0.jpg\n", "the first line is `cat_0.jpg`, a single column"),
    ],
)
def test_wrong_header(write_folder, text, came):
    with pytest.raises(WsssError) as caught:
        Folder(write_folder(labels_csv=text))
    assert f"labels.csv: {came}. Expected the header `image,labels`" in str(caught.value)
    assert "photo.jpg,cat|dog" in str(caught.value)


def test_other_encoding(write_folder):
    folder = write_folder()
    (folder / "labels.csv").write_bytes("image,labels\nété.jpg,cat\n".encode("latin-1"))
    with pytest.raises(WsssError, match=r"line 2 is not UTF-8 text \(byte 0xE9\).*CSV UTF-8"):
        Folder(folder)


def test_unbalanced_quotes(write_folder):
    folder = write_folder(labels_csv='image,labels\ncat_0,cat\n"cat_1.jpg,cat\ncat_2,cat\n')
    with pytest.raises(WsssError, match=r"labels\.csv: line 4 cannot be read as CSV.*quotes"):
        Folder(folder)


@pytest.mark.parametrize("val_fraction", [0.0, 1.0, 20.0])
def test_val_fraction_out_of_range(write_folder, val_fraction):
    with pytest.raises(WsssError, match=r"^val_fraction=.*between 0 and 1"):
        Folder(write_folder(), val_fraction=val_fraction)


# Problems of the table.


def test_labels_naming_images_that_do_not_exist(write_folder, find_problem):
    folder = write_folder(labels_csv="image,labels\ncat_0,cat\ndog_0,dog\nbird_0.jpg,cat\n")
    source = Folder(folder)
    find_problem(
        source.inspect(), ERROR,
        "labels.csv: line 4: no image 'bird_0.jpg'. Expected a file in", "Add the missing images",
    )  # fmt: skip
    assert set(all_items(source)) == {"cat_0", "dog_0"}


@pytest.mark.parametrize("entry", ["cat_0.png", "CAT_0.JPG", "cats/cat_0"])
def test_near_misses_are_suggested(write_folder, find_problem, entry):
    folder = write_folder(labels_csv=f"image,labels\n{entry},cat\ndog_0,dog\n")
    find_problem(Folder(folder).inspect(), ERROR, f"'{entry}' (did you mean 'cat_0.jpg'?)")


def test_repeats_are_grouped(write_folder, find_problem):
    rows = "".join(f"gone_{i},cat\n" for i in range(20))
    folder = write_folder(labels_csv=f"image,labels\ncat_0,cat\ndog_0,dog\n{rows}")
    problem = find_problem(Folder(folder).inspect(), ERROR, "line 4: no image")
    assert problem.came == (
        "20 times: line 4: no image 'gone_0'; line 5: no image 'gone_1'; "
        "line 6: no image 'gone_2'; and 17 more"
    )


def test_images_without_a_row(write_folder, find_problem):
    folder = write_folder()
    write_images(folder, *(f"new_{i}.png" for i in range(6)))
    find_problem(
        Folder(folder).inspect(), WARNING,
        "6 images have no row: 'new_0.png', 'new_1.png', 'new_2.png' and 3 more", "add their rows",
    )  # fmt: skip


def test_images_without_labels(write_folder, find_problem):
    folder = write_folder({"a.jpg": ["cat"], "b.jpg": [], "c.jpg": ["cat"]})
    find_problem(Folder(folder).inspect(), WARNING, "1 image has no labels: 'b'", "background only")


def test_no_labels_at_all(write_folder, find_problem):
    source = Folder(write_folder({"a.jpg": [], "b.jpg": []}))
    assert source.class_names == ()
    find_problem(source.inspect(), ERROR, "labels.csv: no row has a label", "`photo.jpg,cat|dog`")


@pytest.mark.parametrize("entry", ["../secret.jpg", "/etc/passwd", "C:\\a.jpg", "x\\..\\..\\a.jpg"])
def test_ids_that_escape(write_folder, find_problem, entry):
    folder = write_folder(labels_csv=f"image,labels\ncat_0,cat\ndog_0,dog\n{entry},cat\n")
    Image.new("RGB", (32, 24)).save(folder / "secret.jpg")
    source = Folder(folder)
    find_problem(source.inspect(), ERROR, f"line 4: '{entry}' points out of the images folder")
    assert set(all_items(source)) == {"cat_0", "dog_0"}


def test_row_without_image(write_folder, find_problem):
    folder = write_folder(labels_csv="image,labels\ncat_0,cat\ndog_0,dog\n,cat\n")
    find_problem(Folder(folder).inspect(), ERROR, "line 4: labels without an image")


def test_labels_in_further_columns(write_folder, find_problem):
    folder = write_folder(labels_csv="image,labels\ncat_0,cat\nboth_0,cat,dog\n")
    find_problem(Folder(folder).inspect(), ERROR, "line 3: more than 2 columns, 'dog'", "by `|`")


def test_repeated_rows(write_folder, find_problem):
    text = "image,labels\ncat_0,cat\ncat_0.jpg,cat\nboth_0,cat\nboth_0,dog\nboth_1,cat|dog\n"
    problems = Folder(write_folder(labels_csv=text)).inspect()
    find_problem(problems, WARNING, "line 3: 'cat_0.jpg' has the same row already in line 2")
    find_problem(problems, ERROR, "line 5: 'both_0' has other labels than in line 4", "one row")


def test_images_that_share_an_id(write_folder, find_problem):
    folder = write_folder()
    write_images(folder, "cat_0.png")
    find_problem(
        Folder(folder).inspect(),
        ERROR,
        "'cat_0.jpg' and 'cat_0.png' share the id 'cat_0'",
        "Rename",
    )


def test_ids_that_share_a_file_stem(write_folder, find_problem):
    from wsss.data.sample import safe_file_stem

    long = "a" * 210
    folder = write_folder({f"{long}.jpg": ["cat"], f"{safe_file_stem(long)}.jpg": ["cat"]})
    find_problem(Folder(folder).inspect(), ERROR, "would both be named", "Rename one")


# Problems of the classes.


def test_unknown_classes(write_folder, find_problem):
    text = "image,labels\ncat_0,Cat\ndog_0,dog\nboth_0,cat|zebra\n"
    source = Folder(write_folder(labels_csv=text, classes=["background", "cat", "dog"]))
    find_problem(source.inspect(), ERROR, "line 2: unknown class 'Cat' (did you mean 'cat'?)")
    find_problem(source.inspect(), ERROR, "line 4: unknown class 'zebra'. Expected", "classes.txt")
    assert all_items(source)["both_0"].labels == (1,)


def test_background_is_no_label(write_folder, find_problem):
    text = "image,labels\ncat_0,cat\ndog_0,dog|background\n"
    source = Folder(write_folder(labels_csv=text))
    assert source.class_names == ("cat", "dog")
    find_problem(source.inspect(), ERROR, "line 3: the label 'background'", "Remove this label")


def test_classes_without_background(write_folder, find_problem):
    source = Folder(write_folder(classes=["cat", "dog"]))
    assert source.class_names == ("cat", "dog")
    find_problem(source.inspect(), ERROR, "classes.txt: the first line is 'cat'", "mask value 0")


def test_repeated_class(write_folder, find_problem):
    source = Folder(write_folder(classes=["background", "cat", "dog", "cat"]))
    find_problem(source.inspect(), ERROR, "classes.txt: the class 'cat' is listed 2 times")


def test_unreadable_classes(write_folder, find_problem):
    folder = write_folder()
    (folder / "classes.txt").write_bytes(b"background\n\xff\xfe\n")
    find_problem(Folder(folder).inspect(), ERROR, "classes.txt: line 2 is not UTF-8")


def test_too_many_classes(write_folder, find_problem):
    folder = write_folder(
        {"a.jpg": ["0"], "b.jpg": ["1"]},
        labels_csv="image,labels\na,0\nb," + "|".join(map(str, range(255))),
    )
    find_problem(Folder(folder).inspect(), ERROR, "255 classes: '0', '1', '10' and 252 more", "254")


def test_hardly_different_classes(write_folder, find_problem):
    folder = write_folder({"a.jpg": ["Cat"], "b.jpg": ["cat"]})
    find_problem(Folder(folder).inspect(), WARNING, "'Cat', 'cat' count as different classes")


def test_class_without_training_images(write_folder, find_problem):
    source = Folder(write_folder(classes=["background", "bird", "cat", "dog"]))
    find_problem(
        source.inspect(), WARNING, "1 class has no image in train: 'bird'", "Add such images"
    )


# Problems of the splits and masks.


def test_empty_split(write_folder, find_problem):
    source = Folder(write_folder(splits={"train": ["cat_0", "dog_0"], "val": []}))
    find_problem(source.inspect(), ERROR, "the split `val` is empty", "Add images")


def test_a_single_image_cannot_make_two_splits(write_folder, find_problem):
    source = Folder(write_folder({"a.jpg": ["cat"]}))
    find_problem(source.inspect(), ERROR, "is empty")


def test_missing_list(write_folder, find_problem):
    source = Folder(write_folder(splits={"train": ["cat_0"], "vall": ["dog_0"]}))
    find_problem(
        source.inspect(), ERROR, "val.txt: no such file", "'train', 'vall' (did you mean 'vall'?)",
        "another list as `val`",
    )  # fmt: skip


def test_split_ids_without_labels(write_folder, find_problem):
    folder = write_folder(
        splits={"train": ["cat_0", "dog_0", "zebra", "../x"], "val": ["cat_1", "CAT_2"]}
    )
    problems = Folder(folder).inspect()
    find_problem(problems, ERROR, "train.txt: line 3: 'zebra' is not in the table of labels")
    find_problem(problems, ERROR, "train.txt: line 4: '../x' is not in the table of labels")
    find_problem(problems, ERROR, "val.txt: line 2: 'CAT_2'", "(did you mean 'cat_2.jpg'?)")


def test_a_missing_image_is_reported_once(write_folder):
    folder = write_folder(splits={"train": ["cat_0", "dog_0", "both_0"], "val": ["cat_1"]})
    (folder / "images" / "both_0.jpg").unlink()
    assert sum("both_0" in str(problem) for problem in Folder(folder).inspect()) == 1


def test_repeated_overlapping_and_unlisted_ids(write_folder, find_problem):
    source = Folder(
        write_folder(splits={"train": ["cat_0", "cat_0.jpg", "dog_0"], "val": ["dog_0"]})
    )
    problems = source.inspect()
    assert ids(source, "train") == ["cat_0", "dog_0"]
    find_problem(problems, WARNING, "train.txt: line 2: 'cat_0.jpg' is listed already in line 1")
    find_problem(problems, WARNING, "1 image is in both train and val: 'dog_0'", "flatters")
    find_problem(problems, WARNING, "7 labelled images are in no split", "'both_0'")


def test_some_masks_missing(write_folder, find_problem):
    folder = write_folder(masks=True)
    (folder / "masks" / "both_0.png").unlink()
    find_problem(
        Folder(folder).inspect(), WARNING, "has no mask: 'both_0'", "left out of the evalu"
    )


def test_masks_of_other_names(write_folder, find_problem):
    folder = write_folder(masks=True)
    for mask in (folder / "masks").iterdir():
        mask.rename(mask.with_name(f"{mask.stem}_mask.png"))
    find_problem(
        Folder(folder).inspect(), WARNING, "no image for any of 9 files, like 'both_0_mask.png'",
        "named after their images",
    )  # fmt: skip


@pytest.mark.parametrize("key", ["masks", "splits"])
def test_named_folder_is_missing(write_folder, find_problem, key):
    source = Folder(write_folder(), **{key: "typo"})
    find_problem(source.inspect(), ERROR, "typo: no such folder", f"Correct `{key}`")


def test_everything_is_found_at_once(write_folder):
    text = "image,labels\ncat_0,cta\n../x,dog\ngone,dog\ncat_1,cat|dog\ncat_1,dog\n"
    folder = write_folder(
        labels_csv=text, classes=["background", "cat", "dog"], splits={"train": ["nobody"]}
    )
    errors = [p for p in Folder(folder).inspect() if p.severity == ERROR]
    assert len(errors) == 8
