"""One run that meets faults one after another, and ends as if there had been none."""

import os
import shutil
import signal

import pytest


@pytest.mark.slow
def test_a_full_disk_a_read_only_folder_and_a_dead_loader(
    start, disk, finished, kept, loader_of, told_once, results
):
    folder = finished["classify"].folder
    shutil.copytree(folder, disk.path / "classify" / folder.name)

    def done():
        return {path.parts[-3] for path in kept(disk.path) if path.name == "manifest.json"}

    before = kept(disk.path)
    disk.leave_room(100)
    told_once(disk.start(), "it cannot be written: No space left on device", "Make room")
    assert kept(disk.path) == before

    disk.leave_room()
    disk.read_only("segment")
    told_once(disk.start(), f"{disk.work_dir}/segment/", "cannot be written: Read-only file system")
    assert done() == {"classify", "localize", "refine"}
    assert before.items() <= kept(disk.path).items()
    before = kept(disk.path)

    disk.writable("segment")
    process = disk.start("workers=1")
    loader = loader_of(process)
    loader.kill()
    os.kill(process.pid, signal.SIGCONT)
    told_once(process, f"segment the loader process {loader.pid} was killed", "`workers=0`")
    assert kept(disk.path) == before

    again = disk.start()
    assert again.wait() == 0, again.output.read_text(encoding="utf-8")
    assert before.items() <= kept(disk.path).items()
    own = {outcome.folder.name for outcome in finished.values()}
    expected = results(folder.parents[1])
    assert results(disk.path) == {
        name: one for name, one in expected.items() if name.split("/")[1] in own
    }
