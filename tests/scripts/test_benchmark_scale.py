import json
import sys

import numpy as np
import pytest

from wsss.data.source import SPLITS
from wsss.data.sources.folder import Folder


def test_generated_images_are_many_different_files_of_few_pictures(tmp_path):
    from scale_benchmark.generated_images import CLASSES, DRAWINGS, generate

    source = Folder(generate(tmp_path / "data", DRAWINGS + 2))
    items = sorted((item for split in SPLITS for item in source.items(split)), key=lambda i: i.id)
    assert len({item.image.read_bytes() for item in items}) == len(items) == DRAWINGS + 2
    first, last = source.read_image(items[0]), source.read_image(items[DRAWINGS])
    assert first.shape == (48, 48, 3)
    np.testing.assert_array_equal(first, last)
    assert items[0].labels == items[DRAWINGS].labels
    assert source.class_names == tuple(sorted(CLASSES))


def test_a_cost_is_what_a_stage_takes_beside_its_start(monkeypatch, tmp_path):
    from scale_benchmark import stages
    from scale_benchmark.commands import Spent

    said = []

    def measured(words):
        said.append(words)
        return Spent(9.0, 8.0 if len(said) % 2 else 3.0, 700)

    monkeypatch.setattr(stages, "measured", measured)
    rows = [*stages.costs(tmp_path, 1000, tmp_path, ["check", "refine"], 2)]
    assert [(row["stage"], row["cpu_ms_an_image"]) for row in rows] == [
        ("check", 5.0),
        ("refine", 5.0),
    ]
    assert said[0] == said[1]
    assert said[0][0] == "check"
    assert "stages=[refine]" in said[2]


@pytest.mark.parametrize("layout", ["flat", "sharded"])
def test_both_layouts_have_every_file(tmp_path, layout):
    from scale_benchmark import folders

    found = folders.operations(tmp_path, 20, getattr(folders, layout))
    assert found["files"] == 20
    assert {"write", "is it there", "read", "list"} < found.keys()
    assert len([*tmp_path.rglob("*.png")]) == 20
    assert bool([*tmp_path.glob("*.png")]) == (layout == "flat")


def test_the_script_writes_tables(monkeypatch, tmp_path, capsys):
    import benchmark_scale

    output = tmp_path / "scale.json"
    monkeypatch.setattr(
        sys, "argv", ["benchmark_scale", "--counts", "--folders", "5", "--output", str(output)]
    )
    benchmark_scale.main()
    assert [row["layout"] for row in json.loads(output.read_text())["folders"]] == [
        "one folder", "256 folders",
    ]  # fmt: skip
    assert "| 256 folders | 5 |" in capsys.readouterr().out


def test_the_cost_of_a_further_image_leaves_out_what_is_done_once():
    from scale_benchmark.tables import further_ms, stage_table

    def row(images, cpu_s):
        spent = {"cpu_s": 2.0, "peak_mb": 700}
        cost = 1000 * cpu_s / images
        return {
            "stage": "refine", "images": images, "cpu_ms_an_image": cost,
            "first": spent, "again": spent,
        }  # fmt: skip

    rows = [row(3000, 5 + 3000 * 0.007), row(1000, 5 + 1000 * 0.007)]
    assert further_ms(rows[1], rows[0]) == pytest.approx(7)
    assert "| refine | 3,000 | 8.67 | 7.00 | 700 MB | 2.0 s | 700 MB |" in stage_table(rows)


def test_results_of_few_images_stand_for_those_of_many(tmp_path):
    from scale_benchmark.generated_images import DRAWINGS, generate
    from scale_benchmark.last_images import copy_results

    donor = Folder(generate(tmp_path / "few", 3 * DRAWINGS))
    source = Folder(generate(tmp_path / "many", 4 * DRAWINGS))
    seeds = tmp_path / "donor" / "seeds"
    seeds.mkdir(parents=True)
    for item in donor.items("train"):
        (seeds / f"{item.file_stem}.npz").write_text(item.id)
    copy_results(donor, seeds.parent, source, tmp_path / "own", ("seeds/{}.npz",), 5)
    items = source.items("train")
    paths = [tmp_path / "own" / "seeds" / f"{item.file_stem}.npz" for item in items]
    assert [path.is_file() for path in paths] == [True] * (len(items) - 5) + [False] * 5
    for item, path in zip(items[:-5], paths, strict=False):
        assert int(path.read_text()) % DRAWINGS == int(item.id) % DRAWINGS
