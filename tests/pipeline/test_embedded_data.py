"""A run on shards is the run on the folder that they were packed from."""

from pathlib import Path

import pytest

from wsss.artifacts import LabelStore, SeedStore
from wsss.data.images import embedded
from wsss.data.source import SPLITS, TRAIN
from wsss.data.sources.folder import Folder

wds = pytest.importorskip("webdataset")

STAGES = "stages=[classify,localize,refine]"


def pack(folder, root):
    """Write the images of a folder, with labels and masks, into shards of two."""
    root.mkdir()
    (root / "classes.txt").write_text((folder.root / "classes.txt").read_text())
    for split in SPLITS:
        items = folder.items(split)
        for start in range(0, len(items), 2):
            with wds.TarWriter(str(root / f"{split}-{start // 2:03d}.tar")) as shard:
                for item in items[start : start + 2]:
                    shard.write(
                        {
                            "__key__": item.id,
                            "txt": "\n".join(folder.class_names[one - 1] for one in item.labels),
                            "jpg": item.image.read_bytes(),
                            "mask.png": item.mask.read_bytes(),
                        }
                    )
    return root


@pytest.fixture
def folder(write_folder):
    names = {f"{kind}_{number}" for number in range(3) for kind in ("cat", "dog", "both")}
    val = {"cat_2", "dog_2", "both_2"}
    splits = {"train": sorted(names - val), "val": sorted(val)}
    classes = ("background", "cat", "dog")
    return Folder(write_folder(masks=True, splits=splits, classes=classes, size=(64, 64)))


def test_shards_give_the_seeds_and_masks_of_the_folder(folder, run, run_on, content, tmp_path):
    root = pack(folder, tmp_path / "shards")

    def on_shards(work_dir):
        words = ("data=webdataset", f"data.root={root}", "data.labels=txt", STAGES)
        return run(work_dir, *words, without=("data.",))

    expected = run_on(folder.root, tmp_path / "runs", STAGES)
    found = on_shards(tmp_path / "others")
    for stage, store, name in (("localize", SeedStore, "seeds"), ("refine", LabelStore, "masks")):
        folders = [outcomes[stage].folder for outcomes in (found, expected)]
        assert len({one.name for one in folders}) == 1
        ours, theirs = (content(one / name) for one in folders)
        assert ours == theirs
        assert all(store(folders[0] / name).has(item) for item in folder.items(TRAIN))
    # Results are found again, whatever the images are packed in.
    assert all(outcome.cached for outcome in on_shards(tmp_path / "runs").values())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_memory_ends_a_check_in_words(folder, wsss, tmp_path, monkeypatch):
    """No image is left out, however many may be: there is nothing wrong with them."""
    root = pack(folder, tmp_path / "shards")
    data = ("data=webdataset", f"data.root={root}", "data.labels=txt")
    words = (*data, f"work_dir={tmp_path / 'w'}")

    def full_file(**_):
        return Path("/dev/full").open("wb")

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "NamedTemporaryFile", full_file)
        status, said = wsss("check", *words, "max_failed_fraction=0.9")
    assert status == 1
    assert "it cannot be written: No space left on device" in said
    assert "run the same command again" in said
    assert not [*(tmp_path / "w").rglob("failures")]
    assert wsss("check", *words)[0] == 0
