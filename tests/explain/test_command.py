from pathlib import Path

import pytest

from wsss.errors import WsssError
from wsss.explain.request import Request, Setting, parse

NETWORK = ("--model", "timm:resnet50", "--weights", "hub")


def test_everything_that_can_be_asked():
    words = (
        "a.jpg --method cam,gradcam,cam b.jpg --checkpoint f --classes dog,top2 --output o "
        "--scales 1,0.5 --flip --size 320 --scores --device cpu --set a=1 --set cam:b.c=[1,2] c.jpg"
    )
    assert parse(words.split()) == Request(
        images=(Path("a.jpg"), Path("b.jpg"), Path("c.jpg")),
        methods=("cam", "gradcam"),
        checkpoint=Path("f"),
        classes="dog,top2",
        output=Path("o"),
        factors=(1.0, 0.5),
        flip=True,
        side_px=320,
        scores=True,
        device="cpu",
        settings=(Setting("a", "1"), Setting("b.c", "[1,2]", "cam")),
    )


def test_little_is_enough():
    assert parse(["a.jpg", *NETWORK]) == Request(
        images=(Path("a.jpg"),), model="timm:resnet50", weights="hub"
    )
    assert parse(["--list"]) == Request(list_methods=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (NETWORK, "no image"),
        (["a.jpg"], "no classifier.*--checkpoint"),
        (["a.jpg", *NETWORK, "--checkpoint", "f"], "both"),
        (["a.jpg", "--model", "timm:resnet50"], "a network without weights"),
        (["a.jpg", "--checkpoint", "f", "--weights", "hub"], "weights without --model"),
        (["a.jpg", *NETWORK, "--scales", "1,x"], "--scales: 1,x"),
        (["a.jpg", *NETWORK, "--scales", "0"], "--scales: 0"),
        (["a.jpg", *NETWORK, "--size", "0"], "--size"),
        (["a.jpg", *NETWORK, "--set", "mask"], "--set: mask"),
        (["a.jpg", *NETWORK, "--set", ":mask=1"], "--set: :mask=1"),
    ],
)
def test_what_does_not_go_together_is_said(words, said):
    with pytest.raises(WsssError, match=said):
        parse(words)


def test_help_teaches_with_examples(capsys):
    with pytest.raises(SystemExit) as left:
        parse(["--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "wsss explain cat.jpg --model timm:tf_efficientnet_lite0 --weights package" in said
    assert "scores.json" in said


def test_help_tells_what_happens_without_an_option(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    size = said.split("--size PX")[-1].split("--set")[0]
    assert "what --model was trained at; with --checkpoint the image's own" in size
    assert "replaces what an earlier call left there" in said.split("--output FOLDER")[-1]
