"""Take CLIP's two towers for a classifier of the classes' names: nothing is trained."""

from collections.abc import Callable, Sequence
from typing import Any

from wsss.artifacts import write_json
from wsss.data.pyramids import Scales
from wsss.data.source import VAL
from wsss.errors import InvalidOptionError, inside
from wsss.models import Backbone, SplitClassifier, VitBackbone
from wsss.models.clip_towers import (
    check_open_clip,
    check_same_tower,
    load_towers,
    text_head,
    tower_config,
    tower_file,
)
from wsss.stage_tools.class_texts import ClassTexts, class_texts, other_backgrounds, prompted
from wsss.stage_tools.context import Context
from wsss.stage_tools.tag_scores import save_scored

VERSION = 1
INPUTS: tuple[str, ...] = ()
SPLITS = (VAL,)
READS_MASKS = False
KEY_NUMBER = "val_map"
TEXTS = "texts.json"
"""What was asked for: the texts of each class and background."""


def check(
    context: Context,
    *,
    backbone: Callable[..., Backbone],
    model: str,
    weights: str | None,
    prompts: Sequence[str],
    backgrounds: Sequence[str],
    pretrained: str | None = None,
    texts: ClassTexts | None = None,
    **_: Any,
) -> None:
    """Find out before anything is computed whether there is such a text tower, and a text to ask.

    Raises:
        WsssError: open_clip is not installed, there is no such model or file, the backbone is none
            of its image towers, or a class has no name.
    """
    check_open_clip()
    config = tower_config(model)
    with inside("backbone"):
        check_backbone(backbone(weights=None, freeze="backbone"), config["vision_cfg"])
    tower_file(model, pretrained, weights)
    _all_texts(context, prompts, backgrounds, texts)


def check_backbone(trunk: Backbone, tower: dict[str, Any]) -> None:
    """Refuse a backbone that is not of the size of an image tower.

    Raises:
        InvalidOptionError: names both.
    """
    own = (
        (trunk.num_features, trunk.num_layers, trunk.output_stride)
        if isinstance(trunk, VitBackbone)
        else ()
    )
    sizes = tuple(tower.get(key) for key in ("width", "layers", "patch_size"))
    if own != sizes:
        width, layers, patch_px = sizes
        raise InvalidOptionError(
            "name", trunk.name,
            f"CLIP's image tower: a vision transformer with {layers} layers of {width} channels "
            f"and patches of {patch_px} px",
            "this is no image tower of the text tower",
            "Use `backbone=clip_vit_b16`, or name the text tower that belongs to it.",
        )  # fmt: skip


def run(
    context: Context,
    *,
    backbone: Callable[..., Backbone],
    model: str,
    weights: str | None,
    prompts: Sequence[str],
    backgrounds: Sequence[str],
    scales: Scales,
    pretrained: str | None = None,
    texts: ClassTexts | None = None,
) -> dict[str, float]:
    """Export CLIP's image tower with a head of the classes' names, and score it on tags.

    Args:
        context: data, folders, processes.
        backbone: makes the image tower; called with `freeze`.
        model: open_clip's name of both towers, or a file of their configuration (.json).
        weights: of both towers: `hub`, or a file of open_clip.
        prompts: sentences with `{}` for the name; embeddings are averaged over them.
        backgrounds: what is usually behind and beside objects; those that a class is named after
            are left out.
        scales: the first is the size at which validation images are seen.
        pretrained: open_clip's name of the training whose weights the hub has.
        texts: what to call classes, by their names; several texts of a class are averaged. Null
            for those of the data set, which are its names where it has none.

    Returns:
        `val_map`: macro average precision of the validation tags; `chance_map`, that of a
        classifier that guesses.

    Raises:
        WsssError: see `check`; or the weights are of another image tower.
    """
    of_classes, of_backgrounds = _all_texts(context, prompts, backgrounds, texts)
    with inside("backbone"):
        trunk = backbone(freeze="backbone").eval()
    towers = load_towers(model, pretrained, weights)
    assert isinstance(trunk, VitBackbone)  # See `check`.
    check_same_tower(towers, trunk, weights)
    head = text_head(towers, [*of_classes.values()], [*of_backgrounds.values()])
    del towers
    classifier = SplitClassifier(trunk, head).eval()
    if context.is_main:
        write_json(context.folder / TEXTS, {"classes": of_classes, "backgrounds": of_backgrounds})
    return save_scored(
        context, classifier, scales, "the classes' names find",
        "do they say what is to be seen? `classify.texts` calls classes otherwise",
    )  # fmt: skip


def _all_texts(
    context: Context, prompts: Sequence[str], backgrounds: Sequence[str], texts: ClassTexts | None
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The prompted texts of every class and of every background."""
    names = class_texts(context.source, texts)
    others = other_backgrounds(backgrounds, context.source.class_names)
    return (
        {name: prompted(called, prompts) for name, called in names.items()},
        {name: prompted([name], prompts) for name in others},
    )
