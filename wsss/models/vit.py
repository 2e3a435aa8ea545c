"""Vision transformers that return their attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.errors import InvalidOptionError
from wsss.models.attention import explicit_attention, without_other_tokens
from wsss.models.backbones import Backbone
from wsss.models.normalisation import Normalisation
from wsss.models.weights import in_timms_layout, load_state_dict, load_trunk
from wsss.models.whole_patches import whole_patches, whole_size

if TYPE_CHECKING:
    from timm.layers.attention import Attention
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer

OWN_SIZES: Mapping[str, Mapping[str, Any]] = {
    "vit_mini_patch8": {
        "patch_size": 8, "embed_dim": 128, "depth": 6, "num_heads": 4, "img_size": 128,
    },
}  # fmt: skip
"""Networks of ours that timm has no name for: small enough to learn from nothing on a CPU."""
PUBLISHED = "deit_tiny_patch16_224"
"""The network of timm whose family these belong to."""
MAX_ATTENTIONS = 2**25
"""Attentions of one layer held at a time, all heads: 128 MiB in single precision."""

# Shape suffixes: B = batch, D = channels, T = tokens (the class token and N = h·w patches).


class VitBackbone(Backbone):
    """A vision transformer of timm; its patch tokens are the feature map, after the last norm.

    Class, register and distillation tokens take part in the attention and are left out of the map.
    Learned positions are resized to the image's grid of patches (bicubic, with antialiasing, as
    timm does); rotary ones are computed for it. Images of any size are seen: sides that are no
    whole number of patches are first resized to the nearest one.
    """

    stem = ("patch_embed", "cls_token", "reg_token", "pos_embed", "norm_pre")
    network: VisionTransformer | Eva

    def __init__(
        self,
        name: str,
        weights: str | None = None,
        output_stride: int | None = None,
        freeze: str = "none",
    ) -> None:
        """Build the network.

        Args:
            name: timm's name of the architecture, such as `deit_small_patch16_224`, with or without
                the tag of a training behind a dot (`vit_base_patch16_clip_quickgelu_224.openai`),
                or `vit_mini_patch8`.
            weights: `hub`, a file under timm's names or those of the authors that timm knows, or
                None for random weights.
            output_stride: image pixels per feature; the architecture's patch size, or None for it.
            freeze: `none`, `stem` (the embedding of patches) or `backbone` (everything).

        Raises:
            ValueError: timm has no such network, it is no vision transformer with global attention
                between patches of one size, or it has another patch size.
            WsssError: the weights are missing or belong to another network.
        """
        import timm

        super().__init__(name, output_stride or 0, freeze)
        size = OWN_SIZES.get(name, {})
        known = PUBLISHED if size else name
        if not timm.is_model(known):  # timm would look for `hf-hub:…` on the hub.
            raise self._another_kind()
        try:
            network: Any = timm.create_model(known, num_classes=0, dynamic_img_size=True, **size)
        # Other families lack `dynamic_img_size` (TypeError); an unknown tag is a RuntimeError.
        except (RuntimeError, TypeError) as error:
            raise self._another_kind() from error
        if weights is not None:
            state = in_timms_layout(network, load_state_dict(name, weights))
            load_trunk(_without_pooling(network), state, weights)
        self._adopt(network, output_stride)

    def _another_kind(self) -> InvalidOptionError:
        """The error for a network of another kind."""
        expected = (
            "a vision transformer of timm (its classes VisionTransformer and Eva), such as "
            "deit_small_patch16_224"
        )
        return InvalidOptionError("name", self.name, expected)

    def _adopt(self, network: Any, output_stride: int | None = None) -> None:
        """Use a network, if it is a vision transformer with the right patch size.

        Raises:
            ValueError: as in `__init__`.
        """
        from timm.models.eva import Eva
        from timm.models.vision_transformer import VisionTransformer

        if not isinstance(network, VisionTransformer | Eva):
            raise self._another_kind()
        patch_px = cast("int", network.patch_embed.feat_ratio())
        if output_stride not in (None, patch_px):
            expected = f"the patch size of {self.name}, {patch_px}"
            raise InvalidOptionError("output_stride", output_stride, expected)
        self.output_stride = patch_px
        self.network = _without_pooling(network)
        self.num_features = network.num_features
        self.normalise = Normalisation.of(network)
        self.freeze_parameters()

    @property
    def num_layers(self) -> int:
        """Number of layers, each with its attention."""
        return len(self.network.blocks)

    @property
    def has_attention(self) -> bool:
        """Whether every layer has an attention of its own that `forward_with_attention` reads."""
        attentions = (getattr(block, "attn", None) for block in self.network.blocks)
        return all(hasattr(one, "attn_drop") and hasattr(one, "fused_attn") for one in attentions)

    @property
    def has_class_token(self) -> bool:
        """Whether the first token stands for the whole image, as in all but SigLIP's towers."""
        return getattr(self.network, "cls_token", None) is not None

    def check_layers(self, layers: Sequence[int] | None) -> None:
        """Refuse layers of the attention that the network does not have.

        Args:
            layers: indices, negative ones from the end; None for all.

        Raises:
            InvalidOptionError: names the range.
        """
        known = range(-self.num_layers, self.num_layers)
        if layers is not None and not (layers and all(layer in known for layer in layers)):
            expected = f"some of {known[0]}…{known[-1]}, layers of {self.name}, or none at all"
            raise InvalidOptionError("layers", list(layers), expected)

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature map of RGB images in [0, 1], `output_stride` pixels a cell."""
        images = whole_patches(images, self.output_stride)
        tokens = self.network.forward_features(self.normalise(images))
        return self._as_map(tokens, self.grid(images))

    def forward_with_attention(
        self, images: Float[Tensor, "b 3 H W"], layers: Sequence[int] | None = None
    ) -> tuple[Float[Tensor, "b k h w"], Float[Tensor, "b t t"]]:
        """Feature map and the mean attention of the chosen layers, over all heads.

        The features are `forward`'s up to rounding: chosen layers compute the soft-max of attention
        explicitly, which timm's fused kernel does not return.

        Args:
            images: RGB in [0, 1].
            layers: indices, negative ones from the end; None for all.

        Returns:
            Features, and attention: row `i` is the attention of token `i` to each token. Token 0
            is the class token, then the patches follow row by row. Rows sum to 1, less the
            attention to registers and distillation tokens, which are left out. Row and column 0 are
            zeros in a network without a class token (`has_class_token`).

        Raises:
            InvalidOptionError: there is no such layer.
        """
        chosen = self.attentions(layers)
        images = whole_patches(images, self.output_stride)
        prefix = self.network.num_prefix_tokens
        together = self.images_at_once(images)
        parts = [self._observed(some, chosen) for some in torch.split(images, together)]
        features, attention = (torch.cat(part) for part in zip(*parts, strict=True))
        if not self.has_class_token:
            attention, prefix = F.pad(attention, (1, 0, 1, 0)), prefix + 1
        return features, without_other_tokens(attention, prefix)

    def images_at_once(self, images: Float[Tensor, "b 3 H W"]) -> int:
        """How many of such images to send through together where attention is explicit."""
        height, width = self.grid(images)
        tokens = height * width + self.network.num_prefix_tokens
        heads: int = self.attentions([0])[0].num_heads
        return max(1, MAX_ATTENTIONS // (heads * tokens**2))

    def attentions(self, layers: Sequence[int] | None) -> list[Attention]:
        """The attention of each chosen layer, first to last, for `explicit_attention`.

        Args:
            layers: indices, negative ones from the end; None for all.

        Raises:
            InvalidOptionError: there is no such layer.
        """
        self.check_layers(layers)
        every = range(self.num_layers)
        positions = sorted({every[layer] for layer in (every if layers is None else layers)})
        return [cast("Attention", self.network.blocks[index].attn) for index in positions]

    @property
    def has_divisible_end(self) -> bool:
        """Whether `before_last_layer` and `last_layer` can split the network.

        It needs two layers or more, the last of them a standard pre-norm block.
        """
        from timm.models.eva import EvaBlock
        from timm.models.vision_transformer import Block

        return self.num_layers > 1 and type(self.network.blocks[-1]) in {Block, EvaBlock}

    def before_last_layer(
        self, images: Float[Tensor, "b 3 H W"]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t d"]]:
        """Input of the last layer: its tokens before and after the layer's first norm.

        The first `network.num_prefix_tokens` are class, distillation and register tokens, then the
        patches follow row by row.
        """
        has_prefix = self.network.num_prefix_tokens > 0
        found: Any = self.network.forward_intermediates(
            self.normalise(whole_patches(images, self.output_stride)),
            indices=[self.num_layers - 2],
            return_prefix_tokens=has_prefix,
            stop_early=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        tokens: Tensor = torch.cat([found[0][1], found[0][0]], dim=1) if has_prefix else found[0]
        return tokens, self._last_block.norm1(tokens)

    def last_layer(
        self,
        tokens: Float[Tensor, "b t d"],
        normalised: Float[Tensor, "b t d"],
        grid: tuple[int, int],
    ) -> Float[Tensor, "b k h w"]:
        """Feature map from the input of the last layer; for a whole image, that of `forward`.

        Args:
            tokens: input of the residual branch.
            normalised: input of the attention.
            grid: height and width of the feature map.
        """
        block, positions = self._last_block, {}
        if (rotary := getattr(self.network, "rope", None)) is not None:
            found = rotary.get_embed(shape=grid)
            # Networks whose rotations are learned have others in each layer.
            positions["rope"] = found[-1] if getattr(self.network, "rope_mixed", False) else found
        with block.norm1.register_forward_hook(lambda *_: normalised):
            ended = block(tokens, **positions)
        return self._as_map(self.network.norm(ended), grid)

    def grid(self, images: Float[Tensor, "b 3 H W"]) -> tuple[int, int]:
        """Height and width of the images' feature map."""
        height, width = whole_size((images.shape[2], images.shape[3]), self.output_stride)
        return height // self.output_stride, width // self.output_stride

    @property
    def _last_block(self) -> Any:
        return self.network.blocks[-1]

    def _as_map(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        patches = tokens[:, self.network.num_prefix_tokens :]
        if isinstance(self.network.norm, nn.Identity):
            # Networks that were trained on averaged tokens have their last norm behind the average.
            patches = self.network.fc_norm(patches)
        return patches.transpose(1, 2).reshape(len(tokens), -1, *grid)

    def _observed(self, images: Tensor, chosen: Sequence[Attention]) -> tuple[Tensor, Tensor]:
        with explicit_attention(chosen) as total:
            features = self(images)
        return features, total[0] / len(chosen)


def _without_pooling(network: Any) -> Any:
    """The network without the attention pooling of SigLIP's towers, which no feature map needs."""
    network.attn_pool = None
    return network
