"""`wsss predict` beside the stage `evaluate`: the same bytes at the same settings."""

from pathlib import Path

import pytest
from PIL import Image

from wsss.data.sources.synthetic.synthetic import Synthetic


@pytest.fixture
def val_list(tmp_path: Path) -> Path:
    """A list of the validation images of the tiny run, in its order, written as PNG."""
    source = Synthetic(num_train=9, num_val=5, size_px=64)
    paths = []
    for item in source.items("val"):
        paths.append(tmp_path / "val" / f"{item.file_stem}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(source.read_image(item)).save(paths[-1])
    (tmp_path / "val.txt").write_text("\n".join(map(str, paths)))
    return tmp_path / "val.txt"


@pytest.mark.parametrize(
    ("words", "expected", "iterations"),
    [((), "val", 10), (("--flip", "--crf"), "val_tta_crf", 1)],
)
def test_masks_are_those_of_the_evaluation(
    finished, val_list, wsss, content, tmp_path, monkeypatch, words, expected, iterations
):
    if iterations != 10:  # As the tiny run has them.
        from wsss.predict import crf

        compose = crf.compose
        setting = f"evaluate.crf.num_iterations={iterations}"
        monkeypatch.setattr(crf, "compose", lambda name, _: compose(name, [setting]))
    status, said = wsss(
        "predict", str(val_list), f"segmenter={finished['segment'].folder}", "--batch-size=2",
        f"output={tmp_path / 'o'}", *words,
    )  # fmt: skip
    assert status == 0, said
    masks = content(finished["evaluate"].folder / "predictions" / expected)
    assert len(masks) == 5
    assert content(tmp_path / "o" / "masks") == masks
