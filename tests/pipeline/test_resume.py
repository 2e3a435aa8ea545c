import csv
import io
import time

import pytest


def wait_for(process, work_dir, pattern, count):
    """Wait until `count` files match, or the run is over."""
    deadline = time.monotonic() + 120
    while len(list(work_dir.glob(pattern))) < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_anywhere_it_ends_with_the_same_bytes(start, run, finished, content, tmp_path):
    moments = (
        ("classify/*/features/**/*.npy", 4),
        ("localize/*/seeds/*.npz", 3),
        ("refine/*/masks/*.png", 2),
        ("segment/*/checkpoints/*.ckpt", 1),
        ("evaluate/*/counts/**/*.npz", 2),
        ("oracle_bound_same_schedule/*/checkpoints/*.ckpt", 1),
    )
    for pattern, count in moments:
        process = start(tmp_path, "workers=1", "logger=tensorboard", "bound=true")
        wait_for(process, tmp_path, pattern, count)
        process.kill()
    assert not list(tmp_path.glob("report/*/manifest.json"))

    again = run(tmp_path, "logger=tensorboard", "bound=true")
    for stage, part in (("localize", "seeds"), ("refine", "masks"), ("evaluate", "predictions")):
        kept = content(again[stage].folder / part)
        expected = content(finished[stage].folder / part)
        assert {name: kept[name] for name in expected} == expected
    for stage, name in (("classify", "classifier"), ("segment", "segmenter")):
        file = f"{name}.safetensors"
        first, second = (runs[stage].folder / file for runs in (finished, again))
        assert first.read_bytes() == second.read_bytes()
    assert again["evaluate"].manifest.numbers == finished["evaluate"].manifest.numbers
    stage = "oracle_bound_same_schedule"
    undisturbed = run(tmp_path / "alone", "bound=true", f"stages=[classify,{stage}]")[stage]
    assert again[stage].manifest.numbers == undisturbed.manifest.numbers
    kept, expected = (content(one.folder / "predictions") for one in (again[stage], undisturbed))
    assert kept == expected
    assert_tracked_once(tmp_path, finished)


def assert_tracked_once(work_dir, finished):
    """However often it was killed, one folder has every value of the curves once."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = (work_dir / "tensorboard").iterdir()
    assert len(list(folder.glob("events.*"))) > 1
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    log.Reload()
    for stage in ("classify", "segment"):
        (path,) = finished[stage].folder.glob("curves/*/metrics.csv")
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        name = f"{stage}/train_loss"
        expected = {int(row["step"]): float(row[name]) for row in rows if row[name]}
        found = [(event.step, event.value) for event in log.Scalars(name)]
        assert len(found) == len(expected)
        assert dict(found) == pytest.approx(expected, rel=1e-6)
    for name in ("evaluate/segmenter_miou", "oracle/weak_over_bound_percent"):
        assert len(log.Scalars(name)) == 1


def test_missing_items_alone_are_computed_again(run, finished, tmp_path):
    first = run(tmp_path, "stages=[classify,localize,refine]")
    masks = sorted((first["refine"].folder / "masks").glob("*.png"))
    expected = [mask.read_bytes() for mask in masks]
    before = masks[0].stat().st_mtime_ns
    masks[3].unlink()
    (first["refine"].folder / "manifest.json").unlink()
    again = run(tmp_path, "stages=[classify,localize,refine]")
    assert not again["refine"].cached
    assert [mask.read_bytes() for mask in masks] == expected
    assert masks[0].stat().st_mtime_ns == before
