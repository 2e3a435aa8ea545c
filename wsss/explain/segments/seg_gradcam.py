"""Seg-Grad-CAM: which evidence speaks for a class in a region of a segmentation.

Vinogradova, Dibrov, Myers, Towards Interpretable Semantic Segmentation via Gradient-weighted Class
Activation Mapping, AAAI 2020 (student abstract).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsss.cams.gradcam import gradcam_maps
from wsss.errors import InvalidOptionError
from wsss.models.layer_outputs import check_gradients_are_recorded, derivable_by_inputs
from wsss.models.segmenter import Segmenter
from wsss.wording import nearest

ENCODER = "encoder"
"""The layer whose last output is the encoder's last feature map."""


def seg_gradcam(
    segmenter: Segmenter,
    image: Float[Tensor, "1 3 H W"],
    labels: Sequence[int],
    regions: Sequence[Bool[Tensor, "H W"]],
    layer: str = ENCODER,
) -> Float[Tensor, "n h w"]:
    """Raw maps of classes in regions, at the layer's resolution, not negative.

    `ReLU(Σ_k α_k A_k)` with `α_k = mean_uv ∂(Σ_{ij ∈ region} y_ij) / ∂A_k,uv` (eq. 1 of the paper):
    A is the layer's feature map, y the class's logits. With the region of all pixels it is Grad-CAM
    of the summed logits.

    Args:
        segmenter: in evaluation mode.
        image: RGB in [0, 1].
        labels: of n classes: 0 background, 1…C.
        regions: the pixels of each that are explained.
        layer: `encoder`, or the name of a module of `segmenter.network`, whose output is a feature
            map.

    Raises:
        InvalidOptionError: there is no such layer, or its output is no feature map.
        RuntimeError: `torch.inference_mode` is on.
    """
    module = named_module(segmenter, layer)
    with leaf_behind(module, layer) as leaves, derivable_by_inputs(segmenter):
        logits = segmenter(image)[0]
        (activations,) = leaves
        maps = []
        for label, region in zip(labels, regions, strict=True):
            score = (logits[label] * region).sum()
            (gradients,) = torch.autograd.grad(score, [activations], retain_graph=True)
            maps.append(gradcam_maps(activations.detach(), gradients)[0].relu())
    return torch.stack(maps)


def named_module(segmenter: Segmenter, layer: str) -> nn.Module:
    """The module of a layer's name.

    Raises:
        InvalidOptionError: there is none; names the nearest.
    """
    modules: dict[str, nn.Module] = dict(segmenter.network.named_modules())
    if layer and layer in modules:
        return modules[layer]
    near = [name for name in modules if layer and name.endswith(layer)]
    expected = nearest(layer, [name for name in modules if name], near[:3])
    reason = "the segmenter has no such layer"
    raise InvalidOptionError("layer", layer, expected, reason, "Correct the name.")


@contextmanager
def leaf_behind(module: nn.Module, name: str) -> Iterator[list[Tensor]]:
    """Let the autograd graph begin behind a module; collects the leaf.

    Of a module with several outputs, as an encoder has, it is the last feature map.

    Raises:
        InvalidOptionError: in the block, the output is no feature map [1, K, h, w].
    """
    check_gradients_are_recorded()
    leaves: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if (last := _last_map(output)) is None:
            reason = "its output is no feature map"
            expected = f"a layer with one, such as `{ENCODER}`"
            raise InvalidOptionError("layer", name, expected, reason, "Name another layer.")
        leaf = last.detach().requires_grad_()
        leaves[:] = [leaf]
        # A clone behind the leaf, because an in-place ReLU may not write to a leaf.
        return _with(output, last, leaf.clone())

    handle = module.register_forward_hook(hook)
    try:
        yield leaves
    finally:
        handle.remove()


def _last_map(output: Any) -> Tensor | None:
    """The last feature map [1, K, h, w] of an output; None if there is none.

    A transformer's encoder gives a pair: its maps, and the class tokens that belong to them.
    """
    if isinstance(output, Tensor):
        return output if output.ndim == 4 else None
    if not isinstance(output, list | tuple):
        return None
    found = (_last_map(one) for one in reversed(output))
    return next((one for one in found if one is not None), None)


def _with(output: Any, old: Tensor, new: Tensor) -> Any:
    """An output with another tensor in the place of one of its tensors."""
    if isinstance(output, list | tuple):
        return type(output)(_with(one, old, new) for one in output)
    return new if output is old else output
