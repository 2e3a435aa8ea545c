from pathlib import Path

import pytest

from wsss.errors import WsssError
from wsss.explain.request import Request, configure, request_of

NETWORK = ("model=timm:resnet50", "weights=hub")


def parse(*words):
    cfg, options = configure(words)
    return request_of(cfg), options


def test_everything_that_can_be_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=b.jpg").touch()
    words = (
        "a.jpg cam=cam,gradcam b.jpg checkpoint=f classes=dog,3,top2 output=o scales=1,0.5 "
        "flip=true a=b.jpg size=320 scores=true device=cpu cam.a=1 +gradcam.b.c=[1,2] c.jpg"
    )
    assert parse(*words.split()) == (
        Request(
            images=(Path("a.jpg"), Path("b.jpg"), Path("a=b.jpg"), Path("c.jpg")),
            cam=("cam", "gradcam"),
            checkpoint=Path("f"),
            model=None,
            weights=None,
            classes=("dog", 3, "top2"),
            scales=(1.0, 0.5),
            flip=True,
            size=320,
            output=Path("o"),
            scores=True,
            device="cpu",
            compare=(),
            segmenter=None,
            region=(),
            layer="encoder",
            sanity=False,
            seed=0,
        ),
        ["cam.a=1", "+gradcam.b.c=[1,2]"],
    )


def test_little_is_enough():
    request, options = parse("a.jpg", *NETWORK, "classes=tabby cat,top3")
    assert options == []
    assert request.classes == ("tabby cat", "top3")
    assert (request.cam, request.scales, request.flip, request.size) == (
        ("cam",),
        (1,),
        False,
        None,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no image. Expected wsss explain IMAGE"),
        (NETWORK, "no image"),
        (["caf\udce9.jpg", *NETWORK], r"caf\\xe9\.jpg: bytes that are not UTF-8.*Rename"),
        (["a.jpg", *NETWORK, "scores"], "scores: the name of a setting.*`scores=true`"),
        (["a.jpg", "model", *NETWORK], "model: the name of a setting.*`model=…`"),
        (["a.jpg", "model=resnet50"], "`timm:resnet50` or `torchvision:resnet50`"),
        (["a.jpg", "model=timm:tf_efficientnet_lite0"], "Add `weights=package`"),
        (["a.jpg"], "no classifier.*`checkpoint="),
        (["a.jpg", *NETWORK, "checkpoint=f"], "both"),
        (["a.jpg", "model=timm:resnet50"], "a network without weights"),
        (["a.jpg", "checkpoint=f", "weights=hub"], "weights without a model"),
        (["scales=1,x"], r"a number in the list"),
        (["scales=0"], "a number greater than 0 in the list"),
        (["scales=9"], "a number less than or equal to 8 in the list"),
        (["scales=[]"], "at least one value"),
        (["scales=null"], "a number in the list"),
        (["size=0"], "a number greater than 0"),
        (["size=a"], "a whole number"),
        (["flip=null"], "true or false"),
        (["scores=yes"], "true or false"),
        (["classes=[]"], "at least one value"),
        (["classes=1.5"], "a word in the list"),
        (["device=3"], "a word"),
        (["epochs=1"], "no setting `epochs`"),
    ],
)
def test_what_is_wrong_or_does_not_go_together_is_said(words, said):
    with pytest.raises(WsssError, match=said):
        parse(*words)


def test_an_image_may_have_the_name_of_a_setting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("size").touch()
    assert parse("size", *NETWORK)[0].images == (Path("size"),)
