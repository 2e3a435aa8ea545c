"""Vision transformers that return their attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.errors import InvalidOptionError
from wsss.models.attention import explicit_attention
from wsss.models.backbones import Backbone
from wsss.models.normalisation import Normalisation
from wsss.models.weights import load_state_dict, load_trunk

if TYPE_CHECKING:
    from timm.layers.attention import Attention
    from timm.models.vision_transformer import Block, VisionTransformer

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
    """A vision transformer of timm; its patch tokens are the feature map, after the last norm."""

    stem = ("patch_embed", "cls_token", "pos_embed")
    network: VisionTransformer

    def __init__(
        self, name: str, weights: str | None = None, output_stride: int = 16, freeze: str = "none"
    ) -> None:
        """Build the network for images of any whole number of patches.

        Args:
            name: timm's name of the architecture, such as `deit_small_patch16_224`, or
                `vit_mini_patch8`.
            weights: `hub`, a file, or None for random weights.
            output_stride: image pixels per feature; must be the architecture's patch size.
            freeze: `none`, `stem` (the embedding of patches) or `backbone` (everything).

        Raises:
            ValueError: timm has no such network, it is no plain vision transformer with a class
                token, or it has another patch size.
            WsssError: the weights are missing or belong to another network.
        """
        import timm

        super().__init__(name, output_stride, freeze)
        size = OWN_SIZES.get(name, {})
        known = PUBLISHED if size else name
        if not timm.is_model(known):  # timm would look for `hf-hub:…` on the hub.
            raise self._another_kind()
        try:
            network = timm.create_model(known, num_classes=0, dynamic_img_size=True, **size)
        # Other families lack `dynamic_img_size` (TypeError); an unknown tag is a RuntimeError.
        except (RuntimeError, TypeError) as error:
            raise self._another_kind() from error
        if weights is not None:
            load_trunk(network, load_state_dict(name, weights), weights)
        self._adopt(network)

    def _another_kind(self) -> InvalidOptionError:
        """The error for a network of another kind."""
        expected = "a vision transformer of timm with a class token, such as deit_small_patch16_224"
        return InvalidOptionError("name", self.name, expected)

    def _adopt(self, network: Any) -> None:
        """Use a network, if it is a plain vision transformer with the right patch size.

        Raises:
            ValueError: as in `__init__`.
        """
        from timm.models.vision_transformer import VisionTransformer

        if not isinstance(network, VisionTransformer) or not network.has_class_token:
            raise self._another_kind()
        patch = network.patch_embed.patch_size
        if patch != (self.output_stride, self.output_stride):
            expected = f"the patch size of {self.name}, {patch[0]}"
            raise InvalidOptionError("output_stride", self.output_stride, expected)
        self.network = network
        self.num_features = network.num_features
        self.normalise = Normalisation.of(network)
        self.freeze_parameters()

    @property
    def num_layers(self) -> int:
        """Number of layers, each with its attention."""
        return len(self.network.blocks)

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
            attention to registers and distillation tokens, which are left out.

        Raises:
            InvalidOptionError: there is no such layer.
        """
        chosen = self._attentions(layers)
        height, width = self.grid(images)
        tokens = height * width + self.network.num_prefix_tokens
        size = max(1, MAX_ATTENTIONS // (chosen[0].num_heads * tokens**2))
        parts = [self._observed(some, chosen) for some in torch.split(images, size)]
        features, attention = (torch.cat(part) for part in zip(*parts, strict=True))
        skipped = self.network.num_prefix_tokens - 1
        if skipped:
            kept = [0, *range(1 + skipped, tokens)]
            attention = attention[:, kept][:, :, kept]
        return features, attention

    @property
    def has_divisible_end(self) -> bool:
        """Whether `before_last_layer` and `last_layer` can split the network.

        It needs two layers or more, the last of them a standard pre-norm block.
        """
        from timm.models.vision_transformer import Block

        return self.num_layers > 1 and type(self.network.blocks[-1]) is Block

    def before_last_layer(
        self, images: Float[Tensor, "b 3 H W"]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t d"]]:
        """Input of the last layer: its tokens before and after the layer's first norm.

        The first `network.num_prefix_tokens` are class, distillation and register tokens, then the
        patches follow row by row.
        """
        found = self.network.forward_intermediates(
            self.normalise(images),
            indices=[self.num_layers - 2],
            return_prefix_tokens=True,
            stop_early=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        [(patches, prefix)] = cast("list[tuple[Tensor, Tensor]]", found)
        tokens = torch.cat([prefix, patches], dim=1)
        return tokens, cast("Block", self.network.blocks[-1]).norm1(tokens)

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
        block = cast("Block", self.network.blocks[-1])
        attended = tokens + block.drop_path1(block.ls1(block.attn(normalised)))
        ended = attended + block.drop_path2(block.ls2(block.mlp(block.norm2(attended))))
        return self._as_map(self.network.norm(ended), grid)

    def grid(self, images: Float[Tensor, "b 3 H W"]) -> tuple[int, int]:
        """Height and width of the images' feature map."""
        return images.shape[2] // self.output_stride, images.shape[3] // self.output_stride

    def _as_map(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        patches = tokens[:, self.network.num_prefix_tokens :]
        return patches.transpose(1, 2).reshape(len(tokens), -1, *grid)

    def _attentions(self, layers: Sequence[int] | None) -> list[Attention]:
        self.check_layers(layers)
        every = range(self.num_layers)
        positions = sorted({every[layer] for layer in (every if layers is None else layers)})
        return [cast("Attention", self.network.blocks[index].attn) for index in positions]

    def _observed(self, images: Tensor, chosen: Sequence[Attention]) -> tuple[Tensor, Tensor]:
        with explicit_attention(chosen) as total:
            features = self(images)
        return features, total[0] / len(chosen)
