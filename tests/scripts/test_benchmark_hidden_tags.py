import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from wsss.data.sources.folder.folder import Folder
from wsss.data.sources.folder.tags.tag_table import TagRow


@pytest.fixture
def benchmark(monkeypatch):
    import benchmark_hidden_tags

    return benchmark_hidden_tags


@pytest.fixture
def pets(write_folder):
    """Ten images of two classes and ten of one, with masks and splits."""
    images = {f"both_{number}.jpg": ["cat", "dog"] for number in range(10)}
    images |= {f"cat_{number}.jpg": ["cat"] for number in range(10)}
    ids = [Path(name).stem for name in images]
    return write_folder(images, masks=True, splits={"train": ids[::2], "val": ids[1::2]})


@pytest.fixture
def run(benchmark, pets, monkeypatch, tmp_path, capsys):
    """Run the command with findings made by hand; gives its status, its JSON and what it printed.

    An audit keeps the map of the first finding alone, which is hot on the left.
    """

    def command(*arguments, findings):
        def audited(words, work_dir):
            folder = work_dir / "audit"
            (folder / "evidence").mkdir(parents=True, exist_ok=True)
            listed = [
                {"image": image, "label": label, "score": 1 - place / 100, "flagged": place < 1}
                for place, (image, label) in enumerate(findings)
            ]
            content = {"checks": {"missing_tag": {"findings": listed}}}
            (folder / "audit.json").write_text(json.dumps(content))
            hot = np.zeros((2, 3, 4), dtype=np.float16)
            hot[1, :, 0] = 1
            path = folder / "evidence" / f"{findings[0][0]}.npz"
            np.savez(path, maps=hot, classes=np.array([0, 1]))
            asked.append(words)
            return folder

        asked = []
        monkeypatch.setattr(benchmark, "audited", audited)
        output = tmp_path / "out.json"
        words = [pets, *arguments, "--work-dir", tmp_path / "work", "--output", output]
        monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
        status = benchmark.main(Console(width=160))
        result = json.loads(output.read_text()) if output.is_file() else None
        return status, result, capsys.readouterr().out, asked

    return command


def rows(*labels):
    return [TagRow(f"line {n}", f"sub/i{n}.jpg", own) for n, own in enumerate(labels, start=2)]


def test_second_tags_are_hidden_and_no_others():
    from audit_benchmark.hidden_tags import hidden_tags

    table = rows(("a",), ("a", "b"), (), ("c", "a", "b"), ("b", "c"))
    assert hidden_tags(table, 3, seed=0) == {"sub/i3": "b", "sub/i5": "a", "sub/i6": "c"}
    drawn = [hidden_tags(table, 2, seed) for seed in range(20)]
    assert hidden_tags(table, 2, 3) == drawn[3]
    assert {len(one) for one in drawn} == {2}
    assert len({tuple(one) for one in drawn}) == 3
    with pytest.raises(ValueError, match="only 3 images have several tags"):
        hidden_tags(table, 4, seed=0)


def test_the_data_set_lacks_what_is_hidden_and_nothing_else(pets, tmp_path):
    from audit_benchmark.hidden_tags import hidden_tags, with_hidden_tags
    from linked_photographs import table_rows

    table = table_rows(pets)
    hidden = hidden_tags(table, 4, seed=0)
    folder = with_hidden_tags(pets, table, hidden, tmp_path / "work")
    assert with_hidden_tags(pets, table, hidden, tmp_path / "work") == folder
    assert [one.name for one in (tmp_path / "work").iterdir()] == [folder.name]
    before, after = Folder(pets), Folder(folder)
    assert after.class_names == before.class_names
    lost = {}
    for split in ("train", "val"):
        for old, new in zip(before.items(split), after.items(split), strict=True):
            assert new.id == old.id
            np.testing.assert_array_equal(after.read_image(new), before.read_image(old))
            np.testing.assert_array_equal(after.read_mask(new), before.read_mask(old))
            if gone := {*old.labels} - {*new.labels}:
                lost[new.id] = [before.class_names[label - 1] for label in gone]
    assert lost == {image: [label] for image, label in hidden.items()}
    other = with_hidden_tags(pets, table, hidden_tags(table, 4, seed=1), tmp_path / "work")
    assert other != folder


def test_findings_are_counted_by_the_list_and_by_masks(run, benchmark):
    everything = [f"both_{number}" for number in range(10)]
    found = [("both_3", "dog"), ("cat_2", "dog"), ("both_1", "dog"), ("cat_0", "dog")]
    status, result, printed, (words,) = run("--hidden", 10, "--first", 3, findings=found)
    assert status == 0
    assert result["hidden"] == dict.fromkeys(everything, "dog")
    assert result["counts"] == {
        "findings": 3, "hidden_tags": 2, "in_mask_oracle": 2, "to_look_at": 1,
    }  # fmt: skip
    assert [one["in_mask_oracle"] for one in result["findings"]] == [True, False, True]
    assert result["oracle"] is True
    assert words[: len(benchmark.WORDS)] == benchmark.WORDS
    assert "hidden tags" in printed


def test_what_was_not_hidden_is_drawn_with_its_map(run):
    from audit_benchmark.sheets import CELL_PX, COLUMNS, GUTTER_PX, TITLE_PX

    found = [(f"cat_{number}", "dog") for number in range(10)] + [("both_0", "dog")]
    found += [("both_1", "cat"), ("both_2", "cat"), ("both_3", "cat")]
    _, result, *_ = run("--hidden", 10, findings=found)
    assert result["counts"]["to_look_at"] == 13
    assert [Path(path).name for path in result["sheets"]] == ["sheet_1.png", "sheet_2.png"]
    first, second = (np.array(Image.open(path)) for path in result["sheets"])
    height, width = CELL_PX[0] + TITLE_PX + GUTTER_PX, 2 * CELL_PX[1] + GUTTER_PX
    assert first.shape == (4 * height, COLUMNS * width, 3)
    assert second.shape == (height, width, 3)
    cell = first[TITLE_PX : TITLE_PX + CELL_PX[0], CELL_PX[1] : 2 * CELL_PX[1]].astype(int)
    hot, cold = (cell[:, side].mean(axis=(0, 1)) for side in (np.s_[:20], np.s_[-20:]))
    assert hot[0] > cold[0] + 50  # The first finding's map: its class alone, hot on the left.
    assert (first[TITLE_PX : CELL_PX[0], width + CELL_PX[1] : 2 * width] == 255).all()  # None kept.
    _, result, *_ = run("--hidden", 10, "--first", 1, findings=found)
    assert [Path(path).name for path in result["sheets"]] == ["sheet_1.png"]
    assert not Path(result["sheets"][0]).with_name("sheet_2.png").exists()


def test_too_few_images_are_told(run, benchmark, monkeypatch, tmp_path, capsys):
    status, result, printed, asked = run("--hidden", 11, findings=[("both_0", "dog")])
    assert (status, result, asked) == (2, None, [])
    assert "only 10 images have several tags" in printed
    monkeypatch.setattr(sys, "argv", ["benchmark", str(tmp_path)])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "no labels.csv in this folder" in capsys.readouterr().err
