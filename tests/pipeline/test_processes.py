import shutil

import pytest


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(start, finished, content, tmp_path):
    # Nine and five images: neither can be shared out evenly.
    work_dir = finished["classify"].folder.parents[1]
    shutil.copytree(work_dir / "classify", tmp_path / "classify")
    process = start(tmp_path, "trainer=ddp_cpu", "trainer.devices=2", "workers=1")
    assert process.wait() == 0, process.output.read_text()
    for stage, part in (("localize", "seeds"), ("refine", "masks")):
        folder = tmp_path / stage / finished[stage].folder.name / part
        assert content(folder) == content(finished[stage].folder / part)
    # Training on two processes is another sum of gradients; everything else has to fit.
    (metrics,) = (tmp_path / "evaluate").glob("*/metrics.json")
    counts = list((metrics.parent / "counts" / "val_predictions").glob("*.npz"))
    assert len(counts) == 5
    assert (next((tmp_path / "report").glob("*/report.html"))).is_file()


@pytest.mark.slow
def test_a_classifier_is_trained_on_two_processes(start, tmp_path):
    process = start(tmp_path, "trainer=ddp_cpu", "stages=[classify]", "classify.batch_size=4")
    assert process.wait() == 0, process.output.read_text()
    assert list((tmp_path / "classify").glob("*/manifest.json"))
