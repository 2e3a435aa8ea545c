"""The classifier that a user gives: weights of a network of timm, or another run's classifier."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from wsss.data.sources.text_files import read_text
from wsss.errors import InvalidOptionError, user_error
from wsss.models import LinearHead, SplitClassifier
from wsss.models.hub import HUB_WEIGHTS
from wsss.models.own_classifier import RGB, kept_outputs, own_classifier
from wsss.models.saved_classifier import is_classifier, load_finished, weight_files
from wsss.models.weights import PACKAGE_WEIGHTS, weights_file
from wsss.wording import did_you_mean, name_some, plural


def classifier_files(
    weights: str | None, checkpoint: str | None, classes: str | None
) -> dict[str, Path]:
    """The files of a given classifier, each by what it is.

    Raises:
        InvalidOptionError: both or neither of weights and checkpoint are given, or a file is
            missing.
    """
    if (weights is None) == (checkpoint is None):
        raise InvalidOptionError(
            "weights", weights, "a file of weights, or a folder as classify.checkpoint",
            "neither is given" if weights is None else "a checkpoint is given as well",
            "Set one of them: `classify.model=timm:resnet50 classify.weights=FILE`, or "
            "`classify.checkpoint=runs/classify/…`.",
        )  # fmt: skip
    files = {}
    if weights is not None:
        if weights in (HUB_WEIGHTS, PACKAGE_WEIGHTS):
            raise InvalidOptionError(
                "weights", weights, "a .safetensors or .pth file",
                "weights of ImageNet's classes, not of the data set's",
                "Name a file of yours, or leave `classify=given` out: classifiers are trained from "
                "these.",
            )  # fmt: skip
        files["weights"] = weights_file("", weights)
    if checkpoint is not None:
        folder = Path(checkpoint)
        if not is_classifier(folder):
            raise InvalidOptionError(
                "checkpoint", checkpoint, "the folder of a finished stage, as runs/classify/…",
                "no classifier here", "Correct the path.",
            )  # fmt: skip
        for path in weight_files(folder)[:1]:
            files |= {one.name: one for one in (path, path.with_suffix(".json"))}
    if classes is not None:
        if not Path(classes).is_file():
            raise InvalidOptionError(
                "classes", classes, "a .txt or .json file", "no such file", "Correct the path."
            )
        files["classes"] = Path(classes)
    return files


def given_classifier(
    class_names: Sequence[str],
    *,
    model: str | None = None,
    weights: str | None = None,
    checkpoint: str | None = None,
    classes: str | None = None,
    output_stride: int = 16,
    channels: str = RGB,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    **_: Any,
) -> SplitClassifier:
    """The classifier of a user's settings, its outputs in the data set's order of classes.

    In evaluation mode, without gradients.

    Args:
        class_names: of the data set.
        model: `timm:NAME`, the network of `weights`.
        weights: see `own_classifier`.
        checkpoint: folder of a classifier of another run, instead of both.
        classes: file with the name of each output of the head; None where they are the data set's
            classes in their order.
        output_stride: of `own_classifier`, like all further ones.
        channels: likewise.
        mean: likewise.
        std: likewise.

    Raises:
        WsssError: a file is missing, or the classifier is none of the data set's classes.
    """
    files = classifier_files(weights, checkpoint, classes)
    if checkpoint is not None:
        found, names = load_finished(Path(checkpoint))
        found.pair_heads = None
        if type(found.head) is not LinearHead:
            raise InvalidOptionError(
                "checkpoint", checkpoint, "the classifier of the stage `classify`",
                "a classifier with a second head", "Give the folder of that stage.",
            )  # fmt: skip
        own_names: Sequence[str] | None = names
    else:
        if model is None:
            raise InvalidOptionError(
                "model", model, "the network that the weights are of",
                remedy="Name it, such as timm:resnet50.",
            )  # fmt: skip
        options = {"channels": channels, "mean": mean, "std": std}
        found = own_classifier(model, str(weights), None, output_stride, **options)  # type: ignore[arg-type]
        own_names = read_output_names(files["classes"]) if classes is not None else None
    where = checkpoint or str(weights)
    if own_names is None and found.num_classes != len(class_names):
        raise user_error(
            where,
            f"a head of {plural(found.num_classes, 'output')} for a data set of "
            f"{plural(len(class_names), 'class', 'classes')}",
            f"an output for each of {name_some(class_names)}, in this order",
            "Name the outputs in a file, one a line: `classify.classes=FILE`; those of other "
            "classes are left out.",
        )
    if own_names is not None:
        rows = outputs_of(where, own_names, found, class_names)
        found.head = kept_outputs(cast("LinearHead", found.head), rows)
    return found


def outputs_of(
    where: str, own_names: Sequence[str], model: SplitClassifier, class_names: Sequence[str]
) -> list[int]:
    """Which output of a head belongs to each class.

    Raises:
        WsssError: there are more or fewer names than outputs, or a class is not among them.
    """
    if len(own_names) != model.num_classes:
        raise user_error(
            where,
            f"a head of {plural(model.num_classes, 'output')} with "
            f"{plural(len(own_names), 'name')}",
            "a name for each output",
            "Correct the list of names; background, if the head has it, is one of them.",
        )
    if missing := [name for name in class_names if name not in own_names]:
        raise user_error(
            where,
            f"no output for {name_some(missing)}{did_you_mean(missing[0], own_names)}; there are "
            f"{name_some(own_names)}",
            "an output for each class of the data set, under its name",
            "Correct the names, or take a classifier of these classes.",
        )
    return [list(own_names).index(name) for name in class_names]


def read_output_names(path: Path) -> tuple[str, ...]:
    """The names of a head's outputs, in their order.

    Args:
        path: a text file of one name a line, or JSON: a list of names, or an object of indices by
            name or names by index.

    Raises:
        WsssError: the file is something else, or has a name twice.
    """
    text = read_text(path)
    if path.suffix.lower() == ".json":
        names = _from_json(path, text)
    else:
        names = [line.strip() for line in text.splitlines() if line.strip()]
    if len({*names}) < len(names) or not names:
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        came = f"{name_some(twice)} more than once" if names else "no names"
        raise user_error(
            path, came, "a name for each output of the head, each once", "Correct the file."
        )
    return tuple(names)


def _from_json(path: Path, text: str) -> list[str]:
    try:
        content = json.loads(text)
        if isinstance(content, dict):
            by_name = {
                str(value if str(key).isdigit() else key): int(key if str(key).isdigit() else value)
                for key, value in content.items()
            }
            if sorted(by_name.values()) != list(range(len(by_name))):
                raise ValueError("indices that do not count from 0")
            return sorted(by_name, key=by_name.__getitem__)
        return [str(name) for name in [*content]]
    except (ValueError, TypeError) as error:
        raise user_error(
            path, f"it cannot be read as names ({error})",
            'a list such as ["cat", "dog"], or {"cat": 0, "dog": 1}, or {"0": "cat", "1": "dog"}',
            "Correct the file.",
        ) from error  # fmt: skip
