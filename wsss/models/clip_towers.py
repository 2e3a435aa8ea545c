"""CLIP's text tower, by open_clip: the head of texts that belongs to a backbone's image tower."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from wsss.errors import InvalidOptionError, UnsupportedError
from wsss.models.hub import HUB_WEIGHTS, make_available
from wsss.models.hub_files import RepositoryFile
from wsss.models.text_head import TextHead
from wsss.models.vit import VitBackbone
from wsss.models.weights import refused_weights, weights_file
from wsss.wording import nearest

SAME_TOWER = 0.002
"""Largest difference between tokens of the same tower, as a share of them: rounding weights to half
precision makes 0.0007 of twelve layers, the exact GELU in place of the quick one 0.004 or more."""
LOOKED_AT_SEED = 0
Texts = Sequence[Sequence[str]]
"""Of each class or background, the texts whose embeddings are averaged."""


def check_open_clip() -> None:
    """Refuse to go on without the package that has the text towers.

    Raises:
        UnsupportedError: it is not installed; has the command that installs it.
    """
    if find_spec("open_clip") is None:
        raise UnsupportedError(
            "CLIP", "the package `open_clip` is not installed", "it, for the text tower",
            "Install it: `pip install 'wsss[clip]'`.", {"open_clip"},
        )  # fmt: skip


def tower_config(model: str) -> dict[str, Any]:
    """The architecture of both towers.

    Args:
        model: open_clip's name, such as `ViT-B-16-quickgelu`, or a file `open_clip_config.json`.

    Raises:
        InvalidOptionError: there is no such architecture, or it is none of two transformers.
    """
    import open_clip

    if model.endswith(".json"):
        try:
            config = json.loads(Path(model).read_text(encoding="utf-8"))
            config = dict(config.get("model_cfg", config))
        except (OSError, ValueError, AttributeError) as error:
            raise InvalidOptionError(
                "model", model, "a configuration of open_clip, such as its open_clip_config.json",
                f"it cannot be read ({type(error).__name__}: {error})", "Correct the path.",
            ) from error  # fmt: skip
    else:
        known = open_clip.list_models()
        if model not in known:
            raise InvalidOptionError(
                "model", model, nearest(model, known), "open_clip has no such model",
                "Correct the name.",
            )  # fmt: skip
        config = dict(open_clip.get_model_config(model))
    image, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    others = {"timm_model_name", "attentional_pool", "final_ln_after_pool"} & {
        key for key, one in image.items() if one
    }
    others |= {"hf_model_name", "hf_tokenizer_name"} & {*text}
    if others or "multimodal_cfg" in config or not isinstance(image.get("layers"), int):
        raise InvalidOptionError(
            "model", model, "a CLIP of two transformers, such as ViT-B-16-quickgelu",
            f"towers of another kind ({', '.join(sorted(others)) or 'no image transformer'})",
            "Name another one.",
        )  # fmt: skip
    return config


def tower_file(model: str, pretrained: str | None, weights: str | None) -> Path | RepositoryFile:
    """Where the weights of both towers are.

    Args:
        model: as in `tower_config`.
        pretrained: open_clip's name of a training, for weights from the hub.
        weights: `hub`, or a file of open_clip.

    Raises:
        InvalidOptionError: there is no such file, or the hub has no such weights.
    """
    import open_clip

    if weights != HUB_WEIGHTS:
        if weights is None:
            raise InvalidOptionError("weights", None, f"a file of both towers, or `{HUB_WEIGHTS}`")
        return weights_file(model, weights)
    found = open_clip.get_pretrained_cfg(model, pretrained or "")
    if not found.get("hf_hub"):
        known = open_clip.list_pretrained_tags_by_model(model)
        raise InvalidOptionError(
            "pretrained", pretrained, nearest(str(pretrained), known) if known else "a file",
            f"the hub has no such weights of {model}", "Name another training, or a file.",
        )  # fmt: skip
    repository, _, name = str(found["hf_hub"]).rpartition("/")
    names = (name,) if name else ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    return RepositoryFile(repository, names)


def load_towers(model: str, pretrained: str | None, weights: str | None) -> Any:
    """Both towers of open_clip with their weights; evaluation mode, no gradients.

    Args: those of `tower_file`.

    Raises:
        WsssError: open_clip or the weights are missing, or they belong to another architecture.
    """
    check_open_clip()
    import open_clip

    config = tower_config(model)
    file = tower_file(model, pretrained, weights)
    if isinstance(file, RepositoryFile):
        make_available(model, file)
    path = file.cached() if isinstance(file, RepositoryFile) else file
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    with torch.random.fork_rng([]):  # Its random weights are replaced.
        towers = kind(**config)
    try:
        open_clip.load_checkpoint(towers, str(path), strict=True, weights_only=True)
    except Exception as error:
        said = " ".join(str(error).split())
        raise refused_weights(
            str(weights),
            f"the file cannot be read as weights of {model} ({type(error).__name__}: {said:.120}…)",
            "a .safetensors or .pt file of tensors that open_clip saved, with both towers; "
            "archives that run code, as OpenAI's own, are refused",
            "Name the model that they belong to, or use open_clip's file.",
        ) from error
    return towers.eval().requires_grad_(False)


@torch.no_grad()
def check_same_tower(towers: Any, backbone: VitBackbone, weights: str | None) -> None:
    """Refuse a text tower that was not trained with the backbone's image tower.

    Both image towers see the same noise, so that weights, activations and norms all count.

    Raises:
        InvalidOptionError: their tokens differ.
    """
    visual = towers.visual
    visual.output_tokens = True
    generator = torch.Generator().manual_seed(LOOKED_AT_SEED)
    image = torch.rand(1, 3, *visual.image_size, generator=generator)
    ours = backbone(image).flatten(2).mT
    theirs = visual(backbone.normalise(image))[1]
    if ours.shape != theirs.shape or (ours - theirs).norm() > SAME_TOWER * theirs.norm():
        raise refused_weights(
            str(weights), f"their image tower is not that of the backbone, {backbone.name}",
            "both towers of one training",
            "Give the backbone and the text tower the same file, or the same training of the hub; "
            "OpenAI's have the quick GELU, others mostly not.",
        )  # fmt: skip


@torch.no_grad()
def text_embeddings(towers: Any, texts: Texts) -> Float[Tensor, "n e"]:
    """A unit vector for each class: the mean of its texts' unit vectors, made unit length again.

    Args:
        towers: of open_clip, whose own tokenizer of byte pairs is used.
        texts: of each class, one or more.
    """
    from open_clip import SimpleTokenizer

    tokenize = SimpleTokenizer(context_length=towers.context_length)
    means = [
        towers.encode_text(tokenize(list(several)), normalize=True).mean(dim=0) for several in texts
    ]
    return F.normalize(torch.stack(means), dim=1)


def text_head(towers: Any, classes: Texts, backgrounds: Texts) -> TextHead:
    """The head of texts, in evaluation mode; it needs open_clip no longer.

    Args:
        towers: of `load_towers`.
        classes: texts of each class.
        backgrounds: texts of each background.
    """
    projection = towers.visual.proj
    head = TextHead(projection.shape[0], len(classes), len(backgrounds), projection.shape[1])
    values = {
        "projection": projection,
        "classes": text_embeddings(towers, classes),
        "backgrounds": text_embeddings(towers, backgrounds),
        "scale": towers.logit_scale.exp().reshape(()),
    }
    head.load_state_dict({name: one.detach() for name, one in values.items()})
    return head.eval()
