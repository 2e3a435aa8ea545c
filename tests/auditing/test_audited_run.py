"""What an audit takes from a run, and says of it."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from wsss.artifacts import SAW_MASKS, Manifest
from wsss.auditing.audited_run import AuditedRun
from wsss.cli.tables.summaries import summary_table
from wsss.data.sources.folder import Folder


@pytest.mark.parametrize(
    ("factors", "used"), [([1.0, 1.5], True), ([1.5, 1.0], False), ([0.5], False), (None, True)]
)
def test_stored_features_of_another_scale_are_not_used(tmp_path, factors, used):
    folder = tmp_path / "classify" / "0123"
    (folder / "features").mkdir(parents=True)
    config = {} if factors is None else {"feature_scales": {"factors": factors}}
    manifest = Manifest("classify", "0123", config, {})
    run = AuditedRun("one", None, {"classify": Path(folder)}, {"classify": manifest})
    assert run.stored_features == (folder / "features" if used else None)


@pytest.mark.parametrize("saw", [True, False])
def test_it_is_said_that_weights_saw_masks(write_folder, saw):
    manifests = {
        "classify": Manifest("classify", "0123", {}, {}),
        "refine": Manifest("refine", "4567", {}, {}, basis={SAW_MASKS: True} if saw else {}),
    }
    folders = {stage: Path(stage) for stage in manifests}
    run = AuditedRun("one", Folder(write_folder()), folders, manifests)
    assert run.described["saw_masks"] is saw
    content = {"oracle": False, "saw_masks": run.saw_masks, "networks": {}, "left_out": {}}
    console = Console(width=200, record=True, file=StringIO())
    console.print(summary_table(content, Path("index.html"), cached=False), crop=False)
    assert ("Summary (saw masks)" in console.export_text()) is saw
