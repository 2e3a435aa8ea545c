"""Disks that are full, or to which nothing can be written."""

import re

import pytest

pytestmark = pytest.mark.minutes

FULL = "cannotbewritten:Nospaceleftondevice"
ROOM_KIB = {
    "check": (16, ""),
    "classify": (84, r"/classify/\w+/features/\w+\.npy"),
    "localize": (72, r"/localize/\w+/seeds/\w+\.npz"),
    "refine": (96, r"/refine/\w+/(masks/\w+\.png|statistics/\w+\.json)"),
    "affinity": (3000, r"/affinity/\w+/checkpoints/epoch=0000\.ckpt"),
    "segment": (20000, r"/segment/\w+/checkpoints/epoch=0001\.ckpt"),
    "evaluate": (112, r"/evaluate/\w+/(counts|predictions)/\w+/\w+\.(npz|png)"),
}
"""What is left of the disk when a stage begins, and the file that then meets its end."""


@pytest.mark.parametrize("stage", ROOM_KIB)
def test_a_full_disk(disk, whole, copied, of_affinity, kept, told_once, said, results, stage):
    room_kib, met = ROOM_KIB[stage]
    until = "classify" if stage == "check" else stage
    copied(whole, disk.path, until=until, without=["check"] * (stage == "check"))
    before = kept(disk.path)
    disk.leave_room(room_kib)
    words = [*of_affinity, f"stages=[{until}]"]
    process = disk.start(*words)
    told_once(process, "Make room and run the same command again: what is finished is kept.")
    assert re.search(rf"╮{re.escape(said(str(disk.work_dir)))}{met}it{FULL}", said(process))
    assert kept(disk.path) == before
    assert not [*disk.path.rglob("*tmp~*")]
    disk.leave_room()
    again = disk.start(*words)
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert results(disk.path, until) == results(whole, until)


@pytest.mark.parametrize("stage", ["classify", "localize", "segment"])
def test_a_folder_that_is_read_only(
    disk, whole, copied, of_affinity, kept, told_once, results, stage
):
    copied(whole, disk.path, until=stage)
    before = kept(disk.path)
    disk.read_only(stage)
    words = [*of_affinity, f"stages=[{stage}]"]
    process = disk.start(*words)
    told_once(
        process, f"{disk.work_dir}/{stage}/", "it cannot be written: Read-only file system",
        "run the same command again: what is finished is kept",
    )  # fmt: skip
    assert kept(disk.path) == before
    disk.writable(stage)
    again = disk.start(*words)
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert results(disk.path, stage) == results(whole, stage)


def test_a_work_folder_that_is_read_only(disk, whole, copied, of_affinity, kept, told_once):
    copied(whole, disk.path, until="localize")
    before = kept(disk.path)
    disk.mount("-o", "remount,bind,ro", disk.work_dir)
    process = disk.start(*of_affinity, "stages=[localize]")
    told_once(process, f"work_dir={disk.work_dir}", "you may not write there", "Choose another")
    assert kept(disk.path) == before


def test_a_disk_that_gets_full_while_a_tracker_writes(
    disk, whole, copied, of_affinity, kept, told_once, results
):
    """Its thread says nothing; the stage stays finished, and the tracker is told again."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    copied(whole, disk.path, until="localize")
    disk.leave_room(136)
    words = [*of_affinity, "stages=[localize]", "logger=tensorboard"]
    told_once(disk.start(*words), "No space left on device", "Make room")
    before = kept(disk.path)
    assert [path for path in before if path.match("localize/*/manifest.json")]
    disk.leave_room()
    again = disk.start(*words)
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert kept(disk.path) == before
    assert results(disk.path, "localize") == results(whole, "localize")
    (folder,) = (disk.path / "tensorboard").iterdir()
    log = EventAccumulator(str(folder))
    log.Reload()
    assert {event.value for event in log.Scalars("localize/images")} == {9.0}
    assert len(log.Tags()["images"]) == 4
