from io import StringIO
from pathlib import Path

from rich.console import Console

from wsss.artifacts import Manifest
from wsss.cli.tables.stage_results import stage_table
from wsss.pipeline.execution import Outcome


def said(*manifests):
    outcomes = [Outcome(one.stage, Path("runs"), True, one) for one in manifests]
    console = Console(width=200, record=True, file=StringIO())
    console.print(stage_table(outcomes))
    return console.export_text()


def test_a_gpu_has_columns_where_there_was_one():
    cpu = Manifest("refine", "a", {}, {}, devices=["cpu"], wall_time_s=2.0)
    gpu = Manifest(
        "segment", "b", {}, {}, devices=["cpu", "NVIDIA H100"],
        peak_gpu_memory_mb=2560.0, gpu_utilisation=0.615,
    )  # fmt: skip
    assert "GPU" not in said(cpu)
    text = said(cpu, gpu)
    assert "GPU memory" in text
    assert "GPU busy" in text
    for word in ("cpu, NVIDIA H100", "2.50 GiB", "62%"):
        assert word in text
