"""The architectures: each with the options of its own decoder, and the encoders that fit it.

All but DeepLabV2 are those of segmentation-models-pytorch.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

import torch
from torch import nn

from wsss.argument_checks import check_choice, check_whole
from wsss.errors import InvalidOptionError
from wsss.models.segmentation_networks.deeplabv2 import RATES, DeepLabV2

STAGES = 5
"""Halvings of an image in an encoder that is not dilated."""
NATIVE_STRIDE = 2**STAGES
WIDTHS = "a list of widths, one for each block"


@dataclass(frozen=True, slots=True)
class Encoders:
    """The networks of timm that fit an architecture."""

    kind: str
    remedy: str
    need: str
    """Name of what others lack: see `LibraryError.needs`."""


DILATED = Encoders(
    "a convolutional network of timm that can be dilated",
    "Use one, such as `tf_efficientnet_lite0` or `resnet50`.",
    "dilated encoder",
)
PYRAMID = Encoders(
    "a network of timm with feature maps of 4, 8, 16 and 32 pixels a cell, for images of any size",
    "Use one, such as `tf_efficientnet_lite0`, `resnet50`, `convnext_tiny` or `pvt_v2_b2`.",
    "pyramid encoder",
)
TRANSFORMER = Encoders(
    "a vision transformer of timm with patches of 8, 16 or 32 pixels, for images of any size",
    "Use one, such as `deit_small_patch16_224` or `vit_small_patch16_dinov3`.",
    "transformer encoder",
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a network is built."""

    build: Callable[..., nn.Module]
    """Called with encoder, output stride and number of labels, and its own options by name."""
    output_strides: tuple[int, ...]
    """Image pixels per cell of the encoder's last feature map that it can have; first the usual."""
    encoders: Encoders
    options: Mapping[str, Any] = field(init=False)
    """The decoder's own options, with their defaults."""

    def __post_init__(self) -> None:
        """Read the options off the function's signature."""
        parameters = signature(self.build).parameters.values()
        own = {one.name: one.default for one in parameters if one.kind is Parameter.KEYWORD_ONLY}
        object.__setattr__(self, "options", own)


def deeplabv2(
    encoder: str, stride: int, num_labels: int, *, rates: Sequence[int] = RATES
) -> nn.Module:
    """DeepLabV2 (Chen et al., TPAMI 2018)."""
    from segmentation_models_pytorch.encoders import get_encoder

    dilations = _whole_numbers(f"a list of dilations, such as {[*RATES]}", rates=rates)
    trunk = get_encoder(
        _named(encoder), depth=STAGES, weights=None, output_stride=stride, **_for_any_size(encoder)
    )
    return DeepLabV2(trunk, trunk.out_channels[-1], num_labels, stride, dilations)


def deeplabv3(
    encoder: str, stride: int, num_labels: int, *, decoder_channels: int = 256
) -> nn.Module:
    """DeepLabV3 (Chen et al., arXiv 2017)."""
    return _deeplab("DeepLabV3", encoder, stride, num_labels, decoder_channels)


def deeplabv3plus(
    encoder: str, stride: int, num_labels: int, *, decoder_channels: int = 256
) -> nn.Module:
    """DeepLabV3+ (Chen et al., ECCV 2018)."""
    return _deeplab("DeepLabV3Plus", encoder, stride, num_labels, decoder_channels)


def pspnet(encoder: str, stride: int, num_labels: int, *, decoder_channels: int = 512) -> nn.Module:
    """PSPNet (Zhao et al., CVPR 2017), on all stages of a dilated encoder, as published."""
    import segmentation_models_pytorch as smp

    check_whole(1, decoder_channels=decoder_channels)
    network: nn.Module = smp.PSPNet(
        _named(encoder), None, STAGES, decoder_channels, classes=num_labels,
        output_stride=stride, upsampling=stride, **_for_any_size(encoder),
    )  # fmt: skip
    return network


def upernet(encoder: str, _: int, num_labels: int, *, decoder_channels: int = 256) -> nn.Module:
    """UPerNet (Xiao et al., ECCV 2018)."""
    import segmentation_models_pytorch as smp

    check_whole(1, decoder_channels=decoder_channels)
    network: nn.Module = smp.UPerNet(
        _named(encoder), STAGES, None, decoder_channels, classes=num_labels,
        **_for_any_size(encoder),
    )  # fmt: skip
    return network


def segformer(encoder: str, _: int, num_labels: int, *, decoder_channels: int = 256) -> nn.Module:
    """SegFormer's decoder (Xie et al., NeurIPS 2021)."""
    import segmentation_models_pytorch as smp

    check_whole(1, decoder_channels=decoder_channels)
    network: nn.Module = smp.Segformer(
        _named(encoder), STAGES, None, decoder_channels, classes=num_labels,
        **_for_any_size(encoder),
    )  # fmt: skip
    return network


def unet(
    encoder: str,
    _: int,
    num_labels: int,
    *,
    decoder_channels: Sequence[int] = (256, 128, 64, 32, 16),
) -> nn.Module:
    """U-Net (Ronneberger et al., MICCAI 2015), with the encoder's maps as its left side."""
    import segmentation_models_pytorch as smp

    widths = _whole_numbers(WIDTHS, decoder_channels=decoder_channels)
    if len(widths) != STAGES:
        expected = f"{STAGES} widths, from the deepest block on, such as [256, 128, 64, 32, 16]"
        raise InvalidOptionError("decoder_channels", decoder_channels, expected)
    network: nn.Module = smp.Unet(
        _named(encoder), STAGES, None, decoder_channels=widths, classes=num_labels,
        **_for_any_size(encoder),
    )  # fmt: skip
    return network


def dpt(
    encoder: str,
    _: int,
    num_labels: int,
    *,
    decoder_channels: int = 256,
    intermediate_channels: Sequence[int] = (256, 512, 1024, 1024),
    readout: str = "cat",
) -> nn.Module:
    """DPT (Ranftl et al., ICCV 2021), on as many blocks as there are intermediate channels."""
    import segmentation_models_pytorch as smp

    check_whole(1, decoder_channels=decoder_channels)
    widths = _whole_numbers(WIDTHS, intermediate_channels=intermediate_channels)
    check_choice(("cat", "add", "ignore"), readout=readout)
    with warnings.catch_warnings():
        # That a transformer without a class token has none to read out.
        warnings.filterwarnings("ignore", message="Encoder does not have prefix tokens")
        made = smp.DPT(
            _named(encoder), len(widths), None, None, readout, widths, decoder_channels,
            classes=num_labels, dynamic_img_size=True,
        )  # fmt: skip
    trunk = made.encoder
    # Its last norm and head give no feature map: processes would wait for their gradients.
    trunk.model.prune_intermediate_layers(trunk._output_indices, prune_norm=True)
    network: nn.Module = made
    return network


ARCHITECTURES: Mapping[str, Architecture] = {
    "DeepLabV2": Architecture(deeplabv2, (8, 16, NATIVE_STRIDE), DILATED),
    "DeepLabV3": Architecture(deeplabv3, (16, 8), DILATED),
    "DeepLabV3Plus": Architecture(deeplabv3plus, (16, 8), DILATED),
    "PSPNet": Architecture(pspnet, (8, 16, NATIVE_STRIDE), DILATED),
    "UPerNet": Architecture(upernet, (NATIVE_STRIDE,), PYRAMID),
    "Segformer": Architecture(segformer, (NATIVE_STRIDE,), PYRAMID),
    "Unet": Architecture(unet, (NATIVE_STRIDE,), PYRAMID),
    "DPT": Architecture(dpt, (NATIVE_STRIDE,), TRANSFORMER),
}
"""By the name that settings and saved networks have for it."""


def _deeplab(
    name: str, encoder: str, stride: int, num_labels: int, decoder_channels: int
) -> nn.Module:
    import segmentation_models_pytorch as smp

    check_whole(1, decoder_channels=decoder_channels)
    network: nn.Module = smp.create_model(
        name,
        encoder_name=_named(encoder),
        encoder_weights=None,
        encoder_output_stride=stride,
        decoder_channels=decoder_channels,
        classes=num_labels,
    )
    return network


def _named(encoder: str) -> str:
    """What segmentation-models-pytorch calls a network of timm."""
    return f"tu-{encoder}"


def _for_any_size(encoder: str) -> dict[str, Any]:
    """What timm has to be told for an encoder, such as Swin, that is else made for one size."""
    import timm

    config = timm.get_pretrained_cfg(encoder, allow_unregistered=True)
    if config is None or not config.fixed_input_size:
        return {}
    option: dict[str, Any] = {"dynamic_img_size": True}
    try:
        with torch.device("meta"):  # Without numbers.
            timm.create_model(encoder, **option)
    except TypeError:  # It takes no such option, and perhaps any size without, as Twins does.
        return {}
    return option


def _whole_numbers(expected: str, **options: object) -> list[int]:
    """A list of numbers above 0, validated."""
    ((name, numbers),) = options.items()
    if isinstance(numbers, str) or not isinstance(numbers, Sequence) or not numbers:
        raise InvalidOptionError(name, numbers, expected)
    for number in numbers:
        check_whole(1, **{name: number})
    return [*numbers]
