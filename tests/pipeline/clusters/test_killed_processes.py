"""A process of two that is killed, in each stage and in the data check: `make test-long`."""

import shutil
import time

import psutil
import pytest

from wsss.stages import CHAIN

pytestmark = pytest.mark.minutes

STAGES = [stage for stage in CHAIN if stage not in ("reactivate", "oppose")]
LEARNING = {"reactivate": "recam", "oppose": "meng"}
"""Stages of methods with a training of their own."""
ITEMS = {"localize": "seeds", "propagate": "seeds", "refine": "masks"}
"""Folders of files that a stage writes for one image after the other."""
CHECKED = ("trainer=ddp_cpu", "data.num_train=400", "stages=[]")
"""A run of two processes that checks more images than a moment takes, and nothing else."""
NOTES = "check/*/parts/[!.]*.json"


@pytest.fixture
def killed(start, second_of):
    """Start a run of two processes, kill one when a file is there, and see the other end.

    `killed(rank, work_dir, pattern, *words)`: within a minute, naming the one that was killed.
    """

    def start_and_kill(rank, work_dir, pattern, *words):
        process = start(work_dir, *words)
        run = psutil.Process(process.pid)
        deadline = time.monotonic() + 120
        while not [*work_dir.glob(pattern)]:
            assert process.poll() is None, process.output.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        other = second_of(run)
        (run, other)[rank].kill()
        killed = time.monotonic()
        while process.poll() is None or other.is_running():
            assert time.monotonic() < killed + 60
            time.sleep(0.05)
        said = process.output.read_text(encoding="utf-8")
        assert "Finished stages, images and epochs are kept" in said
        named = (
            "process 0, which started the others, was killed",
            "process 1 of 2 was killed by SIG",
        )
        assert named[rank] in said

    return start_and_kill


def copy_before(stage, whole, work_dir):
    for done in CHAIN[: CHAIN.index(stage)]:
        if (whole / done).is_dir():
            shutil.copytree(whole / done, work_dir / done)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_killed_in_any_stage_ends_the_run_and_loses_nothing(
    killed, finish, whole, results, of_two, tmp_path, stage, rank
):
    """Killed when the stage has begun; the other ends within a minute, and the rerun is exact.

    The report is made by the first alone, for which the second waits.
    """
    copy_before(stage, whole, tmp_path)
    killed(rank, tmp_path, f"{stage}/*/devices.json", *of_two)
    assert not [*tmp_path.glob(f"{stage}/*/manifest.json")]
    finish(tmp_path, *of_two)
    assert results(tmp_path) == results(whole)
    if stage == "report":  # It shows how long the stages took, which are the same ones here.
        assert results(tmp_path, [stage]) == results(whole, [stage])


@pytest.mark.parametrize("stage", ITEMS)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_killed_between_two_images_of_a_stage(
    killed, finish, whole, results, of_two, tmp_path, stage, rank
):
    copy_before(stage, whole, tmp_path)
    words = (*of_two, f"stages=[{stage}]")
    items = f"{stage}/*/{ITEMS[stage]}/train_*"
    killed(rank, tmp_path, items, *words)
    there = {path: path.stat().st_mtime_ns for path in tmp_path.glob(items)}
    assert 0 < len(there) < len([*whole.glob(items)])
    finish(tmp_path, *words)
    if stage == "refine":  # Networks see a whole batch again of which one image is missing.
        assert {path: path.stat().st_mtime_ns for path in there} == there
    assert results(tmp_path, [stage]) == results(whole, [stage])


@pytest.fixture(scope="module")
def whole_training(finish, tiny_methods, tmp_path_factory):
    """The words of a run of two processes up to a method's own training, and its work folder."""
    done = {}

    def words_and_work_dir(stage):
        if stage not in done:
            words = (*tiny_methods[LEARNING[stage]], f"stages=[classify,{stage}]")
            words = ("trainer=ddp_cpu", *words)
            done[stage] = words, finish(tmp_path_factory.mktemp(stage), *words)
        return done[stage]

    return words_and_work_dir


@pytest.mark.parametrize("stage", LEARNING)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_killed_in_a_training_of_a_method(
    killed, finish, whole_training, results, tmp_path, stage, rank
):
    words, whole = whole_training(stage)
    copy_before(stage, whole, tmp_path)
    killed(rank, tmp_path, f"{stage}/*/devices.json", *words)
    assert not [*tmp_path.glob(f"{stage}/*/manifest.json")]
    finish(tmp_path, *words)
    assert results(tmp_path, [stage]) == results(whole, [stage])


@pytest.fixture(scope="module")
def notes_of_whole_check(finish, tmp_path_factory):
    """The notes of a data check that nobody disturbs."""
    work_dir = finish(tmp_path_factory.mktemp("check"), *CHECKED)
    (path,) = work_dir.glob("check/*/inspections.npz")
    return path.read_bytes()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_killed_while_images_are_checked(
    killed, finish, notes_of_whole_check, tmp_path, rank
):
    """The first checks them, and the second waits for it."""
    killed(rank, tmp_path, NOTES, *CHECKED)
    assert not [*tmp_path.glob("check/*/inspections.npz")]
    there = {path: path.stat().st_mtime_ns for path in tmp_path.glob(NOTES)}
    finish(tmp_path, *CHECKED)
    assert {path: path.stat().st_mtime_ns for path in there} == there
    (path,) = tmp_path.glob("check/*/inspections.npz")
    assert path.read_bytes() == notes_of_whole_check
