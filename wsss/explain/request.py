"""The words behind `wsss explain`, and what they ask for."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss.errors import user_error

PREDICTED = "predicted"
"""The word for the classes that the network predicts."""
EPILOG = """\
examples:
  wsss explain cat.jpg --model timm:tf_efficientnet_lite0 --weights package
                                    what an ImageNet network sees: its most probable class, by CAM
  wsss explain *.jpg --checkpoint runs/classify/3f0c… --method cam,gradcam
                                    your own classifier, two methods side by side
  wsss explain a.jpg --model timm:resnet50 --weights resnet50.pth --classes "tabby cat,281,top3"
                                    classes by name, by index, or the three most probable ones
  wsss explain a.jpg --model wsss:vig_tiny --weights vig_ti.pth --method vscam,gradcam
                                    a Vision GNN, with its authors' checkpoint
  wsss explain a.jpg --checkpoint runs/classify/3f0c… --method all --scores
                                    every method the classifier supports, with numbers
  wsss explain a.jpg … --method recipro_cam,gradcam --set recipro_cam:mask=gaussian
                                    an option of a method; `key=value` alone is for all that have it
  wsss explain --list               the methods: paper, what they need, what is a reconstruction

results, below --output:
  <image>/<method>.<class>.png      the map over the grey image
  <image>/sheet.png                 everything side by side, a row a class
  scores.json                       probabilities, numbers with --scores, and what was left out
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """An option of a method: `key=value`, of one method or of all that have it."""

    key: str
    value: str
    method: str | None = None

    def __str__(self) -> str:
        owner = "" if self.method is None else f"{self.method}:"
        return f"{owner}{self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for."""

    images: tuple[Path, ...] = ()
    methods: tuple[str, ...] = ("cam",)
    """Names of `configs/cam/`, or `all`."""
    checkpoint: Path | None = None
    """Folder of a stage that left a classifier, or pair heads of one."""
    model: str | None = None
    """`timm:NAME`, `torchvision:NAME` or `wsss:NAME`, instead of a checkpoint."""
    weights: str | None = None
    """Of `model`: `package`, `hub` or a file."""
    classes: str = PREDICTED
    """As written: names, indices and `topN`, between commas."""
    output: Path | None = None
    """None is a folder that is named after what is asked."""
    factors: tuple[float, ...] = (1.0,)
    """Factors of the image's size at which it is seen."""
    flip: bool = False
    side_px: int | None = None
    """Shorter side at which images are seen; None is what a `model` was trained at, and the images'
    own with a `checkpoint`, which has seen many sizes."""
    scores: bool = False
    device: str = "auto"
    settings: tuple[Setting, ...] = ()
    list_methods: bool = False


def parse(words: Sequence[str]) -> Request:
    """The request that the words behind `wsss explain` make.

    Raises:
        WsssError: something is missing, or does not go together.
        SystemExit: --help was asked for, or a word is no option.
    """
    given = _parser().parse_intermixed_args(list(words))
    request = Request(
        images=tuple(Path(image) for image in given.images),
        methods=_split(given.method),
        checkpoint=given.checkpoint,
        model=given.model,
        weights=given.weights,
        classes=given.classes,
        output=given.output,
        factors=_factors(given.scales),
        flip=given.flip,
        side_px=given.size,
        scores=given.scores,
        device=given.device,
        settings=tuple(_setting(word) for word in given.set),
        list_methods=given.list,
    )
    if not request.list_methods:
        _check(request)
    return request


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wsss explain",
        description="Show where in an image a classifier sees a class.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("images", nargs="*", metavar="IMAGE", help="image files")
    add("--method", default="cam", metavar="M1,M2", help="methods, or `all` (default: cam)")
    add("--list", action="store_true", help="show the methods and explain nothing")
    which = parser.add_argument_group("the classifier, one of")
    add = which.add_argument
    add(
        "--checkpoint",
        type=Path,
        metavar="FOLDER",
        help="of a finished classify, reactivate or oppose stage",
    )
    add(
        "--model", metavar="LIBRARY:NAME", help="timm:resnet50, torchvision:vgg16, wsss:vig_tiny, …"
    )
    add("--weights", metavar="FILE", help="of --model: .safetensors, .pth, `hub` or `package`")
    what = parser.add_argument_group("what to explain")
    add = what.add_argument
    add(
        "--classes", default=PREDICTED, metavar="C1,C2",
        help="names, indices or topN (default: what is predicted: the most probable class, or all "
        "of at least 0.5 where an image can have several)",
    )  # fmt: skip
    add("--scales", default="1", metavar="F1,F2", help="sum maps over these scales (default: 1)")
    add("--flip", action="store_true", help="see every scale mirrored, too")
    add(
        "--size", type=int, metavar="PX",
        help="shorter side at which images are seen (default: what --model was trained at; with "
        "--checkpoint the image's own)",
    )  # fmt: skip
    add("--set", action="append", default=[], metavar="[METHOD:]KEY=VALUE", help="an option")
    rest = parser.add_argument_group("results")
    add = rest.add_argument
    add(
        "--output", type=Path, metavar="FOLDER",
        help="replaces what an earlier call left there (default: runs/explain/<fingerprint>)",
    )  # fmt: skip
    add("--scores", action="store_true", help="measure drop, ADCC, insertion, deletion … (slow)")
    add("--device", default="auto", help="cpu, cuda, cuda:1, mps (default: a GPU if there is one)")
    return parser


def _check(request: Request) -> None:
    """Refuse a request that lacks something."""
    if not request.images:
        raise user_error(
            "wsss explain", "no image", "image files", "Name some: `wsss explain cat.jpg …`."
        )
    if (request.checkpoint is None) == (request.model is None):
        raise user_error(
            "wsss explain",
            "no classifier" if request.model is None else "both --checkpoint and --model",
            "one of --checkpoint FOLDER and --model LIBRARY:NAME",
            "Use `--checkpoint runs/classify/…` for a classifier of yours, or "
            "`--model timm:tf_efficientnet_lite0 --weights package` for an ImageNet network.",
        )
    if (request.model is None) != (request.weights is None):
        raise user_error(
            "--weights",
            "a network without weights" if request.weights is None else "weights without --model",
            "--model LIBRARY:NAME and --weights FILE together",
            "Add `--weights FILE`, or `--weights hub` to download them: a network that was never "
            "trained explains nothing."
            if request.weights is None
            else "Leave --weights out: a checkpoint has its own.",
        )
    if request.side_px is not None and request.side_px < 1:
        raise user_error("--size", f"{request.side_px}", "a number of pixels", "Say `--size 224`.")


def _factors(text: str) -> tuple[float, ...]:
    try:
        factors = tuple(float(word) for word in _split(text))
    except ValueError:
        factors = ()
    if not factors or not all(0 < factor <= 8 for factor in factors):
        raise user_error(
            "--scales",
            text,
            "numbers above 0 and at most 8, between commas",
            "Say `--scales 1,0.5,1.5,2`.",
        )
    return factors


def _setting(word: str) -> Setting:
    left, equals, value = word.partition("=")
    method, colon, key = left.rpartition(":")
    if not equals or not key or (colon and not method):
        raise user_error(
            "--set",
            word,
            "KEY=VALUE or METHOD:KEY=VALUE",
            "Say `--set mask=gaussian`, or `--set recipro_cam:mask=gaussian` for one method.",
        )
    return Setting(key, value, method or None)


def _split(text: str) -> tuple[str, ...]:
    """The words between commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
