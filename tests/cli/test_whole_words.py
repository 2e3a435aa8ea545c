"""Tables at every width: no word and no number is cut."""

import io
from pathlib import Path

import pytest
from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsss.artifacts import Manifest
from wsss.cli.tables.explanations import outcome
from wsss.cli.tables.stage_results import result_table, stage_table
from wsss.cli.tables.whole_words import WholeWords
from wsss.explain.method_catalogue import catalogue, method_table
from wsss.pipeline.execution import Outcome
from wsss.settings.config_dir import config_dir

WIDTHS = (40, 60, 80, 120)


def shown(renderable, width):
    """What a terminal without colours, or a log, gets."""
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    text = console.file.getvalue()
    assert all(len(line) <= width for line in text.splitlines())
    return text


def outcomes():
    for stage, numbers in (
        ("segment", {"pseudo_miou": 0.5678}),
        ("refine", {"foreground_fraction": 0.2824}),
        ("evaluate", {"segmenter_miou": 0.4321}),
    ):
        manifest = Manifest(
            stage, "a", {}, numbers, devices=["cpu", "NVIDIA-H100"], wall_time_s=12345.6,
            peak_memory_mb=2560.0, peak_gpu_memory_mb=79_000.0, gpu_utilisation=0.615,
        )  # fmt: skip
        yield Outcome(stage, Path("runs"), False, manifest)


SUBJECT = {
    "label": "segmenter, multi-scale + flip + CRF", "oracle": True, "num_images": 12345,
    "split": "train", "miou": 0.2114, "pixel_accuracy": 0.7983, "coverage": 0.9987,
}  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_the_closing_tables_of_a_run(width):
    text = shown(WholeWords(stage_table([*outcomes()])), width)
    for word in (
        "segment", "refine", "evaluate", "ran", "cpu,", "NVIDIA-H100", "12345.6", "2.50", "GiB",
        "77.15", "62%", "pseudo_miou", "0.568", "foreground_fraction", "0.282", "segmenter_miou",
        "0.432", "wall", "time", "peak", "memory", "busy", "key", "number",
    ):  # fmt: skip
        assert word in text.replace(":", "").split(), word
    text = shown(WholeWords(result_table({"a": SUBJECT})), width)
    for word in (
        "segmenter,", "multi-scale", "CRF", "(oracle)", "12345", "train", "0.211", "0.798",
        "0.999", "pixel", "coverage",
    ):  # fmt: skip
        assert word in text.replace(":", "").split(), word
    assert "…" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_closing_table_of_explanations(width):
    image = Path("holiday_photographs/a.jpg")
    top = {image: ("hippopotamus, hippo, river horse, Hippopotamus amphibius", 0.8734)}
    text = shown(outcome(Path("o"), top, {image: image}, []), width)
    for word in ("holiday_photographs/a.jpg", "hippopotamus,", "amphibius", "0.873", "probability"):
        assert word in text.replace(":", "").split(), word


@pytest.mark.parametrize("width", WIDTHS)
def test_the_catalogue_of_methods(width):
    entries = catalogue(config_dir())
    text = shown(WholeWords(method_table(entries)), width)
    for name in entries:
        assert name in text.split(), name


def narrow_table():
    table = Table("class", "train", "", title="2 classes", caption="and [i]no[/] more")
    table.add_row(Text("aeroplane"), "[red]1,203[/]", Bar(10, 0, 3, width=24))
    table.add_row(Text("[i]tv[/]"), "7", "rare")
    return table


def test_a_table_that_does_not_fit_becomes_paragraphs():
    assert shown(WholeWords(narrow_table()), 39).split("\n") == [
        "2 classes",
        "aeroplane",
        "  train: 1,203",
        "[i]tv[/]",
        "  train: 7",
        "  rare",
        "and no more",
        "",
    ]


def test_a_table_that_fits_is_as_rich_draws_it():
    for width in (60, 200):
        assert shown(WholeWords(narrow_table()), width) == shown(narrow_table(), width)
