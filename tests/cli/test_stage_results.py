from io import StringIO
from pathlib import Path

from rich.console import Console

from wsss.artifacts import Manifest, write_json
from wsss.cli.tables.stage_results import show, stage_table
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


def test_weak_over_bound_is_shown_and_stamped(tmp_path):
    scored = {
        "evaluate": {"segmenter": 0.44, "segmenter_tta_crf": 0.474},
        "oracle_bound": {"bound": 0.589, "bound_tta_crf": 0.62},
    }
    outcomes = []
    for stage, scores in scored.items():
        subject = {"split": "val", "num_images": 5, "pixel_accuracy": 0.5, "coverage": 1.0}
        oracle = stage == "oracle_bound"
        subjects = {
            name: {**subject, "label": name, "oracle": oracle, "miou": miou}
            for name, miou in scores.items()
        }
        write_json(tmp_path / stage / "metrics.json", {"subjects": subjects})
        numbers = {f"{name}_miou": miou for name, miou in scores.items()}
        outcomes.append(Outcome(stage, tmp_path / stage, True, Manifest(stage, "a", {}, numbers)))
    console = Console(width=200, record=True, file=StringIO())
    show(outcomes, console)
    results, compared = console.export_text().split("Weak/bound")
    assert "bound_tta_crf (oracle)" in results
    assert "segmenter (oracle)" not in results
    assert "(oracle)" in compared.splitlines()[0]
    for words in (("bound", "0.440", "0.589", "74.7"), ("bound_tta_crf", "0.474", "0.62", "76.5")):
        assert any(all(word in line for word in words) for line in compared.splitlines())
    console = Console(width=200, record=True, file=StringIO())
    show(outcomes[:1], console)
    assert "bound" not in console.export_text()
