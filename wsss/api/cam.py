"""`wsss.cam`: activation maps of a classifier for an image."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
from torch import nn

from wsss.api.activation_maps import ActivationMaps
from wsss.api.class_indices import ClassLike, chosen_indices, class_indices, known_names
from wsss.api.image_reading import ImageLike, as_picture
from wsss.api.load import LoadedClassifier
from wsss.api.method_by_name import as_method, name_of
from wsss.api.network_input import Input, Normalise, as_input
from wsss.api.observed_pass import observed
from wsss.cams.core.method import CamMethod
from wsss.cams.core.needs import Need, lacking, meanings, offers
from wsss.cams.core.postprocess import normalise_minmax, resize
from wsss.cams.gradcam import GradientMethod
from wsss.data.pyramids import Size
from wsss.errors import UnsupportedError, WsssError, user_error
from wsss.explain.class_choice import ClassChoice
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.last_feature_map import LayerCall, last_map_layer, named_layer
from wsss.models.no_side_effects import unchanged
from wsss.models.segmenter import Segmenter
from wsss.models.split_by_graph import cut
from wsss.models.split_by_hooks import hooked

SMALL_PX = 64
"""Sides below it may leave a map of one position."""


# Annotations are quoted, so that `help` shows the names of aliases and not what they stand for.
def cam(
    model: "nn.Module | LoadedClassifier",
    image: "ImageLike",
    class_: "ClassLike | None" = None,
    method: "str | CamMethod | type[CamMethod]" = "gradcam",
    layer: "str | nn.Module | None" = None,
    *,
    names: "Sequence[str] | None" = None,
    normalise: "Normalise | None" = None,
    size: "int | Size | None" = None,
) -> ActivationMaps:
    """Activation maps of classes over an image, by any of the package's CAM methods.

    The network is left as it was: parameters, buffers, gradients and their flags, training modes,
    hooks, the states of torch's random generators.

    **Scale.** Files, Pillow images and whole numbers are levels of 0…255, floats in [0, 1] are
    colours; both are normalised as the network expects: by `normalise`, or not if it normalises
    itself (a classifier of this package, or a module with `mean` and `std` in it), or by timm's
    statistics of its own network, or by ImageNet's. Floats outside [0, 1] but within ±10 are taken
    as normalised already, and refused where the network normalises itself. Larger ones are refused.

    **Size.** The image's own, but at most 1024 px a side; where the network refuses that, its
    fixed input size.

    **Layer.** The last module whose output is a map [B, K, h, w] or [B, h, w, K] of several
    positions, before a pooling to a fixed size; it is found by running the network once.

    **Precision.** That of the network's parameters. What a GPU makes of float32 is as torch is set:
    `torch.backends.cudnn.allow_tf32`, on unless you turn it off, lets convolutions round their
    factors to 10 bits (TF32), by up to 1/2048 each; `torch.backends.cuda.matmul.allow_tf32`, off
    at first, does so for products of matrices. Both are left as they are.

    Args:
        model: any network that gives logits [B, C], or what `wsss.load` returns. One without
            several labels an image is assumed: probabilities are a soft-max.
        image: a file, a Pillow image, an array [H, W, 3], a tensor [3, H, W] or [1, 3, H, W]; also
            grey ones, and RGB with opacity.
        class_: index 0…C-1 or name, or several in a list, an array or a tensor; `"top3"` for the
            three most probable ones; None or `"predicted"` for the predicted ones: the most
            probable class, or all of 0.5 and more where an image can have several labels.
        method: a name of `wsss explain --list`, in any case, or a `CamMethod` or class of yours.
        layer: another layer, by its name or as the module.
        names: of all classes, in the order of the logits. A loaded network has them, 1,000 classes
            are ImageNet's.
        normalise: mean and deviation of each colour in [0, 1], `(mean, std)`; `"imagenet"` for
            ImageNet's; False for a network that takes colours in [0, 1] as they are.
        size: of the network's input: length of the shorter side in pixels, or (height, width).

    Raises:
        WsssError: the image, class, layer or method cannot be used; says which could.
    """
    network, names = _network(model, names)
    with unchanged(network), torch.inference_mode(False), torch.no_grad():
        given = as_input(network, as_picture(image), normalise)
        made = as_method(method, given.image.device)
        seen, calls, logits = observed(network, given, size)
        known_names(names, num_classes := logits.shape[1])
        asked = None if class_ is None else class_indices(class_, num_classes, names)
        split = _split(network, seen, calls, num_classes, layer, made)
        probabilities = split.probabilities(logits[0].float()).cpu()
        classes = chosen_indices(asked or (ClassChoice(),), probabilities, split.multi_label)
        name = name_of(method)
        if missing := made.needs - offers(split):
            if layer is not None:
                fitting = _split(network, seen, calls, num_classes, None, made)
                if made.needs <= offers(fitting):
                    raise _layer_at_fault(name, layer, missing)
            raise lacking(name, f"this {type(network).__name__}", missing)
        with _told_by_method(name):
            made.check(split)
            raw = made(split, seen.image, torch.tensor([classes], device=seen.image.device))
        raw = raw.detach()[0].float().cpu()
        maps = normalise_minmax(resize(raw[None].relu(), given.picture.shape[:2])[0])
    chosen = tuple(float(probabilities[index]) for index in classes)
    return ActivationMaps(maps, raw, classes, chosen, given.picture, names, num_classes)


def _layer_at_fault(method: str, layer: str | nn.Module, missing: Collection[Need]) -> WsssError:
    """The error of a method that would explain the network, but not from this layer."""
    named = layer if isinstance(layer, str) else type(layer).__name__
    return user_error(
        f"layer={named}",
        f"{method} cannot start from this layer",
        f"one that is followed by {meanings(missing)}",
        'Leave `layer` out, or use `method="gradcam"`, which explains any layer.',
    )


@contextmanager
def _told_by_method(name: str) -> Iterator[None]:
    """Tell what a method refuses under the name that the user knows it by."""
    try:
        yield
    except UnsupportedError as error:
        raise WsssError(error.problem(f"method={name}")) from error


def _network(
    model: nn.Module | LoadedClassifier, names: Sequence[str] | None
) -> tuple[nn.Module, Sequence[str] | None]:
    """The explained network, and the names of its classes where they are known."""
    if isinstance(model, LoadedClassifier):
        return model.network, model.names if names is None else names
    if not isinstance(model, nn.Module) or isinstance(model, Segmenter):
        raise user_error(
            "model",
            f"a {type(model).__name__}",
            "a classifier: a `torch.nn.Module`, or what `wsss.load` returns",
            "Give the network itself, such as `torchvision.models.resnet50(weights=…)`.",
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise user_error(
            "model", "a TorchScript module, whose layers cannot be observed",
            "a network in Python",
            "Give the network as it was before `torch.jit.script` or `torch.jit.trace`.",
        )  # fmt: skip
    return getattr(model, "_orig_mod", model), names  # wrapped by torch.compile


def _split(
    network: nn.Module,
    seen: Input,
    calls: Sequence[LayerCall],
    num_classes: int,
    layer: str | nn.Module | None,
    method: CamMethod,
) -> SplitClassifier:
    """The network as features up to a layer, and a head.

    Hooks split any network, but a head that is not linear then reruns the network as a whole.
    Gradient methods run it once; for others, which may run it for every position of the map, the
    network is cut where possible.
    """
    if isinstance(network, SplitClassifier):
        if layer is None:
            return network
        layer = network.inner_layers.get(layer, layer) if isinstance(layer, str) else layer
    size = (seen.image.shape[2], seen.image.shape[3])
    if layer is None:
        place = last_map_layer(calls, size)
    else:
        place = named_layer(layer, network, calls, size)
    split = None
    if place is not None:
        split = hooked(network, place, calls, seen.image, seen.normalise, num_classes)
        split.multi_label = getattr(network, "multi_label", False) is True
        one_pass = isinstance(split.head, LinearHead) or isinstance(method, GradientMethod)
        if layer is not None or one_pass:
            return split
    with suppress(WsssError):
        return cut(network, type(network).__name__, seen.normalise, max(size))
    if split is None:
        raise user_error(
            "model",
            "no layer is found whose map the logits follow from: the network works on tokens or "
            "vectors, or its last map is no module's output",
            "a layer that gives a map [B, K, h, w], or [B, h, w, K], of several positions",
            "Name one by `layer=`; `dict(model.named_modules())` has their names."
            + f" Or set `size` larger: the input is {size[0]} × {size[1]} px."
            * (min(size) < SMALL_PX),
        )
    return split
