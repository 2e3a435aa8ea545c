"""Interrupted commands that go on, and several processes that share the images."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from wsss.data.image_list import find_images
from wsss.data.pyramids import Scales
from wsss.models.saved_networks import load_segmenter
from wsss.predict import write_results
from wsss.predict.given_images import GivenImages, measure
from wsss.predict.output_folder import OutputFolder
from wsss.predict.predict_images import Settings, predict_images
from wsss.predict.tiles import Tiling
from wsss.stage_tools.context import Context

SIZES = {"a": (48, 64), "b": (48, 64), "c": (64, 48), "d": (48, 64), "e": (130, 70)}
WORDS = ("p", "--coco", "--batch-size=2", "--tile-px=64", "--overlap-px=16")
WORDS += ("--tile-above-megapixels=0.005",)


@pytest.fixture
def pictures(picture):
    return [picture(f"p/{name}.png", *size) for name, size in SIZES.items()]


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_an_interrupted_command_goes_on_to_the_same_bytes(predict, pictures, here, monkeypatch):
    assert predict(*WORDS, "output=whole")[0] == 0
    written = []
    write = write_results.image_note

    def interrupted(*arguments):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(arguments[0])
        return write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(write_results, "image_note", interrupted)
        status, said = predict(*WORDS, "output=twice")
    assert status == 130
    assert "goes on" in said
    notes = here / "twice" / "notes" / "areas"
    finished = {path: path.stat().st_mtime_ns for path in notes.iterdir()}
    assert len(finished) == 2
    assert predict(*WORDS, "output=twice")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert content(here / "twice") == content(here / "whole")


def test_what_is_lost_is_made_again(predict, pictures, here):
    assert predict(*WORDS, "output=o")[0] == 0
    before = content(here / "o")
    for lost in ("masks/b.png", "overlays/e.jpg", "notes/coco/c.json", "predictions.csv"):
        (here / "o" / lost).unlink()
    assert predict(*WORDS, "output=o")[0] == 0
    assert content(here / "o") == before


def test_of_several_processes_each_predicts_its_share(pictures, segmenter, here):
    model, names = load_segmenter(segmenter)
    items, _ = find_images(["p"])
    sizes, _ = measure(items, 1)
    settings = Settings(Scales(), False, None, 2, Tiling(64, 16, 0.005))

    def share(folder: Path, rank: int, world_size: int) -> dict[str, bytes]:
        fabric = SimpleNamespace(
            global_rank=rank,
            world_size=world_size,
            device=torch.device("cpu"),
            autocast=nullcontext,
        )
        context = Context(
            GivenImages(items, names), folder / "notes", fabric=fabric, workers=0, sizes=sizes
        )
        predict_images(context, model, settings, OutputFolder(folder))
        return content(folder)

    whole = share(here / "one", 0, 1)
    parts = [share(here / f"rank{rank}", rank, 3) for rank in range(3)]
    assert sum(map(len, parts)) == len(whole)
    assert {name: made for part in parts for name, made in part.items()} == whole
    assert all(parts)
