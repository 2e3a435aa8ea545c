"""Bad data through the command line, as a user meets it."""

import os
import re
from html import escape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.artifacts import INPUTS
from wsss.errors import WsssError
from wsss.pipeline.execution import DEVICES

TWO = {f"{name}{i}.jpg": [name] for i in range(4) for name in ("cat", "dog")}
SPLITS = {"train": ["cat0", "cat1", "cat2", "dog0", "dog1", "dog2"], "val": ["cat3", "dog3"]}


def without_labels(root):
    (root / "labels.csv").unlink()


def labels_of_missing_images(root):
    append_row(root, "ghost.jpg,cat")


def truncated(root):
    path = root / "images" / "cat0.jpg"
    path.write_bytes(path.read_bytes()[:300])


def web_page(root):
    (root / "images" / "cat0.jpg").write_text("<!doctype html><html>moved</html>")


def climbing_id(root):
    append_row(root, "../../secret.jpg,cat")


def mask_of_another_size(root):
    Image.new("L", (3, 3)).save(root / "masks" / "cat1.png")


def mask_with_unknown_values(root):
    Image.fromarray(np.full((48, 64), 77, np.uint8)).save(root / "masks" / "cat1.png")


def empty_split(root):
    (root / "splits" / "val.txt").write_text("")


def one_pixel(root):
    Image.new("RGB", (1, 1)).save(root / "images" / "cat0.jpg")


def append_row(root, row):
    path = root / "labels.csv"
    path.write_text(path.read_text() + f"\n{row}")


FATAL = (
    (without_labels, "labels.csv", "no such file", "Write it with your own labels"),
    (labels_of_missing_images, "labels.csv", "no image 'ghost.jpg'", "Add the missing images"),
    (truncated, "cat0.jpg", "unreadable image", "Replace it with an intact copy"),
    (web_page, "cat0.jpg", "a web page (HTML), not an image", "Download the image itself"),
    (climbing_id, "labels.csv", "points out of the images folder", "Move the images there"),
    (mask_of_another_size, "cat1.png", "3 × 3", "Resize the mask"),
    (mask_with_unknown_values, "cat1.png", "77", "Renumber"),
    (empty_split, "val", "is empty", "Add images"),
    (one_pixel, "cat0.jpg", "1 × 1", "max_failed_fraction"),
)


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("spoil", "where", "came", "remedy"), FATAL, ids=lambda v: getattr(v, "__name__", "")
)
def test_one_message_before_anything_is_computed(
    wsss, write_folder, tmp_path, command, spoil, where, came, remedy
):
    root = write_folder(TWO, masks=True, splits=SPLITS, size=(48, 64))
    spoil(root)
    before = sorted(root.rglob("*"))
    status, said = wsss(
        command, "data=folder", f"data.root={root}", f"work_dir={tmp_path / 'runs'}"
    )
    assert status == 1
    assert "Traceback" not in said
    for word in (where, came, remedy):
        assert word in said
    assert not (tmp_path / "runs" / "classify").exists()
    assert sorted(root.rglob("*")) == before


WARNED = {
    "images without labels": "has no row: 'cat0.jpg'",
    "a class with no image": "1 class has no image in train: 'horse'",
    "odd images": "1 greyscale ('cat0'), 1 CMYK ('cat1'), 1 16-bit ('cat2'), 1 alpha ('dog0')",
    "a huge image": "1 image with a side over 4096 px: 'cat0'",
}


def make_odd(write_folder, what):
    classes = ["background", "cat", "dog", "horse"] if what == "a class with no image" else None
    images = {f"{name}{i}.png": [name] for i in range(4) for name in ("cat", "dog")}
    images = TWO if what != "odd images" else images
    root = write_folder(images, splits=SPLITS, size=(48, 64), classes=classes)
    if what == "images without labels":
        path = root / "labels.csv"
        path.write_text(re.sub("cat0.jpg,cat\n", "", path.read_text()))
        (root / "splits" / "train.txt").write_text("\n".join(SPLITS["train"][1:]))
    if what == "odd images":
        noise = np.random.default_rng(0).integers(0, 65535, (48, 64), dtype=np.uint16)
        odd = {
            "cat0": Image.new("L", (64, 48), 90),
            "cat2": Image.fromarray(noise),
            "dog0": Image.new("RGBA", (64, 48), (9, 9, 200, 30)),
        }
        for name, picture in odd.items():
            picture.save(root / "images" / f"{name}.png")
        (root / "images" / "cat1.png").unlink()
        Image.new("CMYK", (64, 48), (10, 200, 30, 0)).save(root / "images" / "cat1.jpg")
        path = root / "labels.csv"
        path.write_text(path.read_text().replace("cat1.png", "cat1.jpg"))
    if what == "a huge image":
        Image.new("RGB", (4200, 1000), (20, 90, 200)).save(root / "images" / "cat0.jpg")
    return root


@pytest.mark.parametrize("what", WARNED)
def test_what_a_run_can_live_with_is_said_and_goes_through(
    wsss, run_on, write_folder, tmp_path, what
):
    root = make_odd(write_folder, what)
    status, said = wsss("check", "data=folder", f"data.root={root}", f"work_dir={tmp_path}")
    assert status == 0
    assert WARNED[what] in said
    outcomes = run_on(root, tmp_path, "stages=[classify,localize,refine]")
    assert outcomes["refine"].manifest.failures == {}


def test_names_with_spaces_signs_and_other_scripts(run_on, write_folder, tmp_path, caplog):
    caplog.set_level("INFO")
    classes = ('black cat, "tom"', "<b>chien</b> & co/été")
    names = ("my cat", "猫 ü", 'sub/say "dog"', "x&<b>, 50% #1? dog")
    images = {f"{name}.jpg": [classes["dog" in name]] for name in names}
    rows = [("image", "labels"), *((name, *labels) for name, labels in images.items())]
    quoted = (",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    root = write_folder(
        images,
        labels_csv="\n".join(quoted),
        classes=["background", *classes],
        splits={"train": names[:3], "val": names[3:]},
        size=(48, 64),
    )
    outcomes = run_on(root, tmp_path, "segment.batch_size=3")
    assert (
        caplog.text.count("labels.csv: 4 images, 2 classes; columns image, labels; one label") == 1
    )
    masks = list((outcomes["refine"].folder / "masks").iterdir())
    assert len(masks) == 3
    page = (outcomes["report"].folder / "report.html").read_text()
    for name in ("猫 ü", "x&<b>, 50% #1? dog", *classes):
        assert escape(name, quote=True).replace("&quot;", "&#34;") in page
        assert "<" not in name or name not in page


def test_how_labels_are_read_and_what_decides_it(wsss, write_folder, tmp_path):
    rows = (f"{n},{'lion, African' if 'cat' in n else 'lion, Asian'}" for n in TWO)
    root = write_folder(TWO, labels_csv="\n".join(["file;tags", *rows]).replace("g,", "g;"))
    check = ("check", "data=folder", f"data.root={root}", f"work_dir={tmp_path / 'runs'}")
    status, said = wsss(*check)
    assert status == 1
    assert f"data.labels={root / 'labels.csv'}" in said
    assert "either 'lion', 'African', separated by `,` (3 classes in the table), or one" in said
    assert "Say what separates labels, `data.separator=comma`" in said
    for word, how in (
        ("comma", "3 classes; {}labels separated by `,`"),
        ("none", "2 classes; {}one"),
    ):
        status, said = wsss(*check, f"data.separator={word}")
        assert status == 0
        columns = "semicolons between columns; columns file, tags; "
        assert f"labels.csv: 8 images, {how.format(columns)}" in said
    status, said = wsss(*check, "data.columns=[file,kind]")
    assert status == 1
    assert "a header with the columns `file` and `kind`" in said


FEW = ("data.num_train=8", "data.num_val=8", "data.size_px=64")
LITE0 = "segmenter=deeplabv3plus_lite0"  # whatever the backbone is


def test_a_missing_weight_file_is_found_by_the_check(wsss, tmp_path):
    status, said = wsss("check", *FEW, "backbone.weights=nowhere.pth", f"work_dir={tmp_path}")
    assert status == 1
    assert "no such weight file" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["refine.method.engin.bilateral_srgb=3"], "refine.method.engine.bilateral_srgb"),
        (["data=foldr"], "`folder`"),
        (["data=folder"], "Add `data.root=…` to the command"),
        (["stages=[refin]"], "no stage is called 'refin'"),
        (
            ["backbone.weights=nowhere.pth", "data.num_train=8", "data.num_val=8"],
            "no such weight file",
        ),
        (["stages=[localize,"], "`key=value`, a list as `key=[a,b]` without spaces"),
        (["+segment.learning_rate=1"], "there is no setting `learning_rate`"),
        ([*FEW, "stages=[classify,segment]"], "Add `refine` to `stages`"),
        ([*FEW, "segmenter.trains_from=blocks.9"], "a module of the encoder"),
        ([*FEW, "segment.batch_size=1"], "batches of a single image"),
        ([*FEW, "segment.max_epochs=-1"], "1 or more"),
        ([*FEW, "refine.method.void_factor=0.5"], "a number of 1 or more"),
        ([*FEW, "refine=none", "refine.method.bg_threshold=2"], "a number between 0 and 1"),
        ([*FEW, "refine/threshold=fixed", "background_threshold.threshold=1"], "between 0 and 1"),
        ([*FEW, "refine.batch_size=0"], "batch_size"),
        (
            [*FEW, "cam=ad_cam", "cam.attention_network.name=resnet50"],
            "expected: a vision transformer of timm",
        ),
        (
            ["cam=ad_cam", "cam.attention_network=resnet50"],
            "expected: settings of its own",
        ),
        (
            ["cam=ad_cam", "cam.layers=5", "cam.attention_network=null"],
            "expected: a list",
        ),
        (
            [*FEW, "refine=attention_affinity", "propagate.method.attention_network.name=deit"],
            "expected: a vision transformer of timm",
        ),
        (
            ["refine=attention_affinity", "propagate.method.attention_network=resnet50"],
            "expected: settings of its own",
        ),
        (
            [
                "refine=attention_affinity",
                "propagate.method.layers=5",
                "propagate.method.attention_network=null",
            ],
            "expected: a list",
        ),
        ([*FEW, "cam=fd_cam", "cam.quantile=2"], "expected: a number from 0 to below 1"),
        (["cam=gradcam", "cam.layers=[3]"], "expected: a word in the list"),
        ([*FEW, "cam=cluster_cam", "cam.seed=-1"], "expected: a whole number, 0…4294967295"),
        ([*FEW, "cam=vscam"], "Use `backbone=vig_tiny`"),
        ([*FEW, "cam=ad_cam", "cam.attention_network=null"], "Use `backbone=deit_small`"),
        ([*FEW, "backbone=vig_tiny"], "Use `segmenter=deeplabv3plus_lite0`"),
        ([*FEW, "trainer=gpu"], "`trainer=cpu` needs none"),
        ([*FEW, "trainer.strategy=fsdp"], "Every process needs the whole network"),
        ([*FEW, "trainer.num_nodes=0"], "expected: a whole number, 1 or more"),
        ([*FEW, "dense_crf.device=cuda:77"], "it cannot be used here"),
        (
            [*FEW, "refine/engine=numba", "dense_crf.device=cuda:77"],
            "a NumbaEngine computes on the CPU",
        ),
        (
            [*FEW, "refine/engine=torch", "dense_crf.device=cuda:77"],
            "dense_crf.device=cuda:77",
        ),
        (["refine/engine=torch", "refine.method.engine.device=[cpu]"], "expected: a word"),
        ([*FEW, "refine=none", "evaluate.crf.device=cuda:77"], "Take `refine/engine=torch`"),
        (
            [*FEW, "refine=affinity", "evaluate.crf=null", "affinity.labels.engine.device=cuda:77"],
            "Take `refine/engine=torch`",
        ),
        (["seed=foo"], "expected: a whole number"),
        (["cam=null"], "nothing is chosen"),
        (["trainer.precision=foo"], "the value 'foo'"),
        (["trainer.devices=0"], "nothing to compute on"),
        (["trainer.devices=-1"], "expected: a number of processes, 1 or more"),
        (["refine"], "this cannot be read as a setting"),
        ([*FEW, "classify.freeze=none"], "no augmentation for a backbone that learns"),
    ],
)
def test_a_wrong_setting(wsss, tmp_path, words, message):
    status, said = wsss("run", *words, f"work_dir={tmp_path}")
    assert status == 1
    assert "Traceback" not in said
    assert message in said
    assert not (tmp_path / "classify").exists()


@pytest.mark.parametrize(
    ("word", "setting"),
    [
        ("cam=ad_cam", "cam.attention_network.weights"),
        ("refine=attention_affinity", "propagate.method.attention_network.weights"),
        ("backbone=deit_small", "backbone.weights"),
    ],
)
def test_a_hub_out_of_reach_is_said_in_one_message(wsss, offline, tmp_path, word, setting):
    status, said = wsss(
        "run", *FEW, word, "segmenter=deeplabv3plus_lite0", f"work_dir={tmp_path / 'runs'}"
    )
    assert status == 1
    assert "Traceback" not in said
    assert "HYDRA_FULL_ERROR" not in said
    assert f"{setting}=hub" in said
    assert "name a .safetensors or .pth file instead" in said
    left = {path.name for path in (tmp_path / "runs").glob("classify/*/*")}
    assert left <= {DEVICES, INPUTS}


@pytest.mark.parametrize(
    ("words", "place", "came"),
    [
        (["cam=extended_cam", "cam.sigma=-1"], "cam.sigma", "-1"),
        (["cam=vscam", "cam.probes.layers=0"], "cam.probes.layers", "0"),
        (["refine.method.engine.bilateral_sxy_px=0"], "refine.method.engine.bilateral_sxy_px", "0"),
        (["dense_crf.seeds_sxy_px=-1"], "dense_crf.seeds_sxy_px", "-1"),
        (["data.size_px=8"], "data.size_px", "8"),
        (["refine.batch_size=0"], "refine.batch_size", "0"),
        (["localize.batch_size=0"], "localize.batch_size", "0"),
        (["evaluate.batch_size=0"], "evaluate.batch_size", "0"),
        (["classify.checkpoint_every_n_epochs=0"], "classify.checkpoint_every_n_epochs", "0"),
        (["classify.feature_windows=-1"], "classify.feature_windows", "-1"),
        (["segment.lr=-1"], "segment.lr", "-1"),
        (["localize.scales.factors=[]"], "localize.scales.factors", "[]"),
        (["localize.scales.factors=[0]"], "localize.scales.factors", "0"),
        (["cam=gradcam", "cam.layers=[layer9]"], "cam.layers=['layer9']", "no inner layer is"),
        (["segmenter.trains_from=blocks.9"], "segmenter.trains_from", "'blocks.9'"),
        (["backbone=vig_tiny", "backbone.output_stride=8", LITE0], "backbone.output_stride", "8"),
        (["backbone=deit_small", "backbone.name=resnet50", LITE0], "backbone.name", "'resnet50'"),
        (["segmenter.encoder=vig_tiny"], "segmenter.encoder=vig_tiny", "DeepLabV3Plus cannot"),
        (["backbone.weights=gone.pth"], "backbone.weights=gone.pth", "no such weight file"),
        (["cam=vscam"], "cam", "this method cannot explain a model of TimmBackbone"),
    ],
)
def test_a_value_is_refused_by_the_name_of_the_setting(run, tmp_path, words, place, came):
    with pytest.raises(WsssError) as refusal:
        run(tmp_path, *words)
    (problem,) = refusal.value.problems
    assert (problem.where, problem.came[: len(came)]) == (place, came)
    assert not list(tmp_path.glob("classify/*"))


def test_an_image_whose_name_is_not_utf8_is_named_and_left_out(
    wsss, run_on, write_folder, tmp_path
):
    root = write_folder(TWO, splits=SPLITS, size=(48, 64))
    image = (root / "images" / "cat0.jpg").read_bytes()
    try:
        Path(os.fsdecode(os.fsencode(root / "images") + b"/caf\xe9.jpg")).write_bytes(image)
    except OSError:
        pytest.skip("a file system of UTF-8 names only, as on macOS")
    status, said = wsss("check", "data=folder", f"data.root={root}", f"work_dir={tmp_path}")
    assert status == 0
    assert "1 image has a name that is not UTF-8: 'caf\\xe9.jpg'" in said
    outcomes = run_on(root, tmp_path, "stages=[classify,localize,refine]")
    assert len(list((outcomes["refine"].folder / "masks").iterdir())) == 6
