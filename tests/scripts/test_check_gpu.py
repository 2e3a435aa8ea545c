import json
import sys

import numpy as np
import pytest
from PIL import Image

TINY = (
    "data.num_train=6", "data.num_val=4", "data.size_px=64", "workers=0",
    "classify.max_epochs=2", "classify.feature_windows=1", "classify.feature_scales.factors=[1.0]",
    "localize.scales.factors=[1.0]", "refine.method.engine.num_iterations=2",
    "evaluate.scales.factors=[1.0]",
)  # fmt: skip
PLANTED = """
import pytest

@pytest.mark.gpu
def test_that_passes():
    pass

@pytest.mark.gpu
def test_that_fails():
    assert 1 == 2

@pytest.mark.gpu
def test_without_the_reference():
    raise ValueError("PydensecrfEngine: the package `pydensecrf2` is not installed")

@pytest.mark.gpu
@pytest.mark.skip(reason="no card")
def test_that_is_skipped():
    pass

def test_that_needs_no_gpu():
    assert False
"""


@pytest.fixture
def found():
    from gpu_benchmark.parts import Found

    return Found()


def write_masks(folder, masks):
    folder.mkdir(parents=True)
    for name, mask in masks.items():
        Image.fromarray(mask).save(folder / f"{name}.png")


def write_stage(work_dir, stage, files, nondeterministic=(), inputs=()):
    from wsss.artifacts import Manifest

    folder = work_dir / stage / "0123"
    (folder / "results").mkdir(parents=True)
    for name, content in files.items():
        (folder / "results" / name).write_bytes(content)
    basis = {"inputs": dict.fromkeys(inputs, "0123")}
    named = list(nondeterministic)
    Manifest(stage, "0123", {}, {}, basis=basis, nondeterministic=named).write(folder)


@pytest.mark.minutes
def test_a_tiny_check(monkeypatch, tmp_path, capsys):
    import check_gpu

    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANTED)
    words = ["check_gpu.py", "--device", "cpu", "--output", tmp_path / "out"]
    words += ["--tests", planted, "--parts", "environment", "tests", "devices", "--set", *TINY]
    monkeypatch.setattr(sys, "argv", [*map(str, words)])
    status = check_gpu.main()
    result = json.loads((tmp_path / "out" / "check_gpu.json").read_text())
    parts = result["parts"]
    assert {name: part["status"] for name, part in parts.items()} == {
        "environment": "ok",
        "tests": "failed",
        "devices": "ok",
    }
    assert status == 1
    tests = parts["tests"]
    assert tests["passed"] == 1
    assert [name.rpartition("::")[2] for name in tests["failed"]] == ["test_that_fails"]
    assert [*tests["lacking"].values()] == ["pydensecrf"]
    assert tests["skipped"] == {"no card": 1}
    assert "test_that_fails" in tests["why"]
    masks = sorted((tmp_path / "out/devices/on_cpu/refine").glob("*/masks/*.png"))
    agreement = parts["devices"]
    assert agreement["pseudo_masks"]["images"] == len(masks) == 6
    assert agreement["pseudo_masks"]["pixels"] == sum(
        np.array(Image.open(mask)).size for mask in masks
    )
    assert agreement["engine"] == "TorchEngine"
    assert {aim["met"] for aim in result["aims"]} == {True}
    assert result["environment"]["device"] == "cpu"
    said = capsys.readouterr().out
    assert "failed  tests" in said
    assert "ok  devices" in said


def test_the_share_of_pixels_with_another_label(tmp_path):
    from gpu_benchmark.differences import mask_differences, mismatches

    first = {name: np.zeros((10, 20), np.uint8) for name in ("a", "b", "c")}
    second = {name: mask.copy() for name, mask in first.items() if name != "c"}
    second["b"][:2, :5] = 3
    write_masks(tmp_path / "one", first)
    write_masks(tmp_path / "other", second)
    found = mask_differences(tmp_path / "one", tmp_path / "other")
    assert found["differ"] == pytest.approx(10 / 400)
    assert found["worst"] == pytest.approx(10 / 200)
    assert found["only_in_one"] == ["c.png"]
    assert mismatches("masks", found) == ["1 masks of one run alone, such as c.png"]


def test_the_difference_of_seeds(tmp_path):
    from gpu_benchmark.differences import seed_differences

    from wsss.artifacts import Seeds, SeedStore
    from wsss.data.sample import Item

    maps = np.full((1, 4, 5), 0.5, np.float16)
    labels = np.array([1], np.uint16)
    SeedStore(tmp_path / "one").write(Item("a", (1,)), Seeds(labels, maps, (16, 20)))
    other = maps.copy()
    other[0, 0, 0] = 0.75
    SeedStore(tmp_path / "other").write(Item("a", (1,)), Seeds(labels, other, (16, 20)))
    found = seed_differences(tmp_path / "one", tmp_path / "other")
    assert found["largest"] == 0.25
    assert found["mean"] == pytest.approx(0.25 / 20)


def test_bytes_that_differ_unannounced_are_a_failure(tmp_path, found):
    from gpu_benchmark.repeats import judge

    for work_dir, changing in ((tmp_path / "first", b"1"), (tmp_path / "second", b"2")):
        write_stage(work_dir, "classify", {"a.safetensors": b"0"})
        write_stage(work_dir, "localize", {"a.npz": b"0", "b.npz": changing}, inputs=["classify"])
        write_stage(work_dir, "refine", {"a.png": changing}, inputs=["localize"])
        write_stage(work_dir, "segment", {"a.npy": changing, "log.csv": changing}, ["upsample"])
    judge(found, tmp_path / "first", tmp_path / "second")
    stages = found.numbers["stages"]
    assert stages["classify"]["verdict"] == "same bytes"
    assert stages["localize"]["differ"] == ["results/b.npz"]
    assert stages["refine"]["inputs_that_differ"] == ["localize"]
    assert stages["segment"]["differ"] == ["results/a.npy"]
    assert stages["segment"]["nondeterministic"] == ["upsample"]
    (failure,) = found.failures
    assert failure.startswith("localize differs, and names no operation")


def test_a_part_that_fails_stops_no_other_and_keeps_what_it_had(tmp_path):
    from gpu_benchmark.parts import Parts, at_most
    from rich.console import Console

    def broken(found):
        found.numbers["half"] = 0.5
        raise RuntimeError("no such kernel\nand more")

    def missed(found):
        found.aims.append(at_most("share", 0.2, 0.1))

    path = tmp_path / "result.json"
    for aims_count, status in ((True, "failed"), (False, "ok")):
        parts = Parts(path, {}, 60, aims_count, Console(quiet=True))
        parts.run("broken", broken)
        assert json.loads(path.read_text())["parts"]["broken"]["half"] == 0.5
        parts.run("missed", missed)
        assert parts.result["parts"]["broken"]["why"] == "RuntimeError: no such kernel"
        assert parts.result["parts"]["missed"]["status"] == status
        assert parts.result["aims"][0]["met"] is False
        assert not parts.passed
    parts = Parts(path, {}, -1, True, Console(quiet=True))
    parts.run("late", broken)
    assert parts.result["parts"]["late"]["status"] == "left out"


def test_a_command_that_takes_too_long_is_ended(tmp_path):
    from gpu_benchmark.commands import CommandError, run_command

    words = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(60)"]
    with pytest.raises(CommandError, match="stopped after 1 s"):
        run_command(words, tmp_path / "log", 1)
    with pytest.raises(CommandError, match=r"status 3: begun"):
        run_command([sys.executable, "-c", "print('begun'); exit(3)"], tmp_path / "log", 20)
    framed = "print('╭──╮\\n│ data.size_px │\\n│   48 │\\n╰──╯'); exit(1)"
    with pytest.raises(CommandError, match=r"status 1: data.size_px 48 \(see"):
        run_command([sys.executable, "-X", "utf8", "-c", framed], tmp_path / "log", 20)


def test_help_teaches(monkeypatch, capsys):
    import check_gpu

    monkeypatch.setattr(sys, "argv", ["check_gpu.py", "--help"])
    with pytest.raises(SystemExit):
        check_gpu.main()
    said = capsys.readouterr().out
    assert all(part in said for part in check_gpu.PARTS)
