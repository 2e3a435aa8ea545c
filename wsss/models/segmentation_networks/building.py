"""A segmentation network of an architecture and an encoder, or why there is none."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from wsss.argument_checks import check_whole
from wsss.errors import InvalidOptionError, LibraryError
from wsss.machine.memory import out_of_memory
from wsss.models.segmentation_networks.architectures import ARCHITECTURES, Architecture
from wsss.wording import did_you_mean, nearest

TRIAL_SIZE_PX = (64, 96)
"""Height and width of an image that a network must take: no encoder is made for this size alone."""


def architecture_of(name: str) -> Architecture:
    """The architecture of a name.

    Raises:
        InvalidOptionError: there is none; tells the nearest.
    """
    if name not in ARCHITECTURES:
        expected = nearest(name, [*ARCHITECTURES])
        raise InvalidOptionError("architecture", name, expected, "there is no such architecture")
    return ARCHITECTURES[name]


def segmentation_network(
    architecture: str,
    encoder: str,
    num_labels: int,
    output_stride: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a network with random weights: normalised images to logits of their size.

    It has the parts `encoder` (with timm's network as its `model`), `decoder` and
    `segmentation_head`.

    Args:
        architecture: one of `ARCHITECTURES`.
        encoder: timm's name of the encoder's architecture.
        num_labels: channels of the logits.
        output_stride: image pixels per cell of the encoder's last feature map; None: the usual.
        options: of the architecture's decoder; those left out have its defaults.

    Raises:
        InvalidOptionError: there is no such architecture or encoder, they do not fit each other, or
            an option is none of the architecture's.
    """
    import timm

    chosen, options = architecture_of(architecture), options or {}
    if foreign := [name for name in options if name not in chosen.options]:
        raise InvalidOptionError(
            foreign[0], options[foreign[0]], "one of " + ", ".join(chosen.options),
            f"{architecture} has no such option", "Correct the name, or leave it out.",
        )  # fmt: skip
    check_whole(1, num_classes=num_labels - 1)
    strides = chosen.output_strides
    stride = strides[0] if output_stride is None else output_stride
    if stride not in strides:
        expected = f"{architecture}'s: " + " or ".join(map(str, sorted(strides)))
        raise InvalidOptionError("output_stride", output_stride, expected)
    fitting = chosen.encoders
    if not isinstance(encoder, str) or not timm.is_model(encoder):
        near = did_you_mean(str(encoder), timm.list_models())
        raise InvalidOptionError(
            "encoder", encoder, fitting.kind,
            f"{architecture} cannot be built on it: timm has no such network{near}",
            fitting.remedy, {fitting.need},
        )  # fmt: skip
    try:
        network = chosen.build(encoder, stride, num_labels, **options)
        _try(network, num_labels)
    except LibraryError:
        raise
    except Exception as error:  # timm's networks refuse what they cannot do in every way there is.
        if out_of_memory(error):
            raise
        said = str(error).partition("\n")[0]
        raise InvalidOptionError(
            "encoder", encoder, fitting.kind,
            f"{architecture} cannot be built on it ({type(error).__name__}: {said:.200})",
            fitting.remedy, {fitting.need},
        ) from error  # fmt: skip
    return network


@torch.no_grad()
def _try(network: nn.Module, num_labels: int) -> None:
    """Let a network see a small image.

    Raises:
        Exception: it refuses it, or its logits have another size.
    """
    logits = network.eval()(torch.zeros(1, 3, *TRIAL_SIZE_PX))
    network.train()
    if logits.shape != (expected := (1, num_labels, *TRIAL_SIZE_PX)):
        raise ValueError(f"logits of {tuple(logits.shape)} instead of {expected}")
