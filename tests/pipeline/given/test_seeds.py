"""Runs that start from the user's own seeds."""

import json

import numpy as np
import pytest
import torch

from wsss.errors import WsssError


@pytest.fixture
def seeds(finished, tmp_path):
    """The seeds of a finished run in IRN's layout, as its authors write them: tensors."""
    folder = tmp_path / "my_seeds"
    folder.mkdir()
    for path in (finished["localize"].folder / "seeds").glob("*.npz"):
        with np.load(path) as own:
            keys = torch.from_numpy(own["classes"].astype(np.int64)) - 1
            cam = torch.from_numpy(own["maps"].astype(np.float32))
            high = np.kron(own["maps"], np.ones((4, 4), np.float32))
        np.save(folder / f"{path.stem}.npy", {"keys": keys, "cam": cam, "high_res": high})
    return folder


@pytest.fixture
def with_seeds(run, tmp_path):
    def start(folder, *words):
        given = ("localize=given", f"localize.folder={folder}", *words)
        return run(tmp_path / "runs", *given, without=("localize.",))

    return start


def test_given_seeds_are_refined_as_those_of_a_run(finished, with_seeds, seeds, content):
    outcomes = with_seeds(seeds)
    assert tuple(outcomes) == (
        "classify", "localize", "refine", "segment", "evaluate", "report",
    )  # fmt: skip
    for stage, part in (("localize", "seeds"), ("refine", "masks"), ("evaluate", "predictions")):
        expected = content(finished[stage].folder / part)
        assert content(outcomes[stage].folder / part) == expected
    segmenters = [runs["segment"].folder / "segmenter.safetensors" for runs in (finished, outcomes)]
    assert segmenters[0].read_bytes() == segmenters[1].read_bytes()
    metrics = [
        json.loads((runs["evaluate"].folder / "metrics.json").read_text())
        for runs in (outcomes, finished)
    ]
    assert metrics[0]["oracle_curves"] == metrics[1]["oracle_curves"]
    given = metrics[0]["subjects"]["seeds"]
    assert given["label"] == "given seeds, default threshold"
    assert given["miou"] == metrics[1]["subjects"]["seeds"]["miou"]
    page = (outcomes["report"].folder / "report.html").read_text()
    assert "Learnt from given seeds of 8 classes" in page


def test_seeds_of_a_run_can_be_given_as_they_are(finished, with_seeds, content):
    own = finished["localize"].folder / "seeds"
    outcome = with_seeds(own, "stages=[localize]")["localize"]
    assert content(outcome.folder / "seeds") == content(own)
    assert outcome.folder.name != finished["localize"].folder.name


def test_every_byte_of_given_seeds_counts(with_seeds, seeds):
    first = with_seeds(seeds, "stages=[localize]")["localize"]
    path = seeds / "train_0003.npy"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # In the middle of a map; the size stays.
    path.write_bytes(content)
    again = with_seeds(seeds, "stages=[localize]")["localize"]
    assert again.folder != first.folder


def test_given_seeds_that_are_none_are_told_before_anything_is_computed(
    with_seeds, seeds, tmp_path
):
    for path in seeds.glob("*.npy"):
        content = np.load(path, allow_pickle=True).item()
        np.save(path, content | {"keys": content["keys"] + 1})
    with pytest.raises(WsssError, match=r"keys count classes from 0 \(\w+\) to 7"):
        with_seeds(seeds)
    assert not (tmp_path / "runs" / "localize").exists()


def test_maps_of_untagged_classes_can_be_dropped(with_seeds, seeds, finished, content):
    path = next(seeds.glob("*.npy"))
    own = np.load(path, allow_pickle=True).item()
    other = next(key for key in range(8) if key not in own["keys"])
    cam = torch.cat([own["cam"], torch.zeros_like(own["cam"][:1])])
    np.save(path, {"keys": torch.tensor([*own["keys"].tolist(), other]), "cam": cam})
    with pytest.raises(WsssError, match="and of no other class"):
        with_seeds(seeds)
    outcome = with_seeds(seeds, "localize.untagged=drop", "stages=[localize]")["localize"]
    expected = content(finished["localize"].folder / "seeds")
    assert content(outcome.folder / "seeds") == expected


def test_the_data_check_looks_at_what_is_given(wsss, pets, tmp_path):
    data = ("data=folder", f"data.root={pets}", f"work_dir={tmp_path / 'runs'}")
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for name in ("cat0", "cat1"):
        np.save(seeds / f"{name}.npy", {"keys": np.array([0]), "cam": np.full((1, 12, 16), 0.5)})
    status, said = wsss("check", *data, "localize=given", f"localize.folder={seeds}")
    assert status == 1
    assert f"localize.folder={seeds}" in said
    assert "no file of 4 training images of 6" in said
    for name in ("cat2", "dog0", "dog1", "dog2"):
        key = 0 if name.startswith("cat") else 1
        np.save(seeds / f"{name}.npy", {"keys": np.array([key]), "cam": np.zeros((1, 12, 16))})
    status, said = wsss("check", *data, "localize=given", f"localize.folder={seeds}")
    assert status == 0, said
    status, said = wsss("check", *data, "refine=given", f"refine.masks={pets / 'masks'}")
    assert status == 1
    assert "these are the ground-truth masks" in said
