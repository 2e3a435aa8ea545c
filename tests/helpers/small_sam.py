"""Segment Anything with 64-pixel images, a few channels, and random weights."""

from functools import partial

import torch
from torch import nn

SIZE_PX, PATCH_PX, CHANNELS = 64, 8, 32


def small_sam() -> nn.Module:
    """The architecture of `vit_b`, made small; predicts an IoU near 0.9 for every region."""
    from segment_anything.modeling import (
        ImageEncoderViT,
        MaskDecoder,
        PromptEncoder,
        Sam,
        TwoWayTransformer,
    )

    cells = SIZE_PX // PATCH_PX
    encoder = ImageEncoderViT(
        img_size=SIZE_PX, patch_size=PATCH_PX, embed_dim=CHANNELS, depth=2, num_heads=2,
        out_chans=CHANNELS, use_rel_pos=True, window_size=4, global_attn_indexes=(1,),
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )  # fmt: skip
    prompts = PromptEncoder(
        embed_dim=CHANNELS, image_embedding_size=(cells, cells),
        input_image_size=(SIZE_PX, SIZE_PX), mask_in_chans=16,
    )  # fmt: skip
    decoder = MaskDecoder(
        transformer_dim=CHANNELS,
        transformer=TwoWayTransformer(
            depth=2, embedding_dim=CHANNELS, num_heads=2, mlp_dim=2 * CHANNELS
        ),
        iou_head_hidden_dim=CHANNELS,
    )
    with torch.no_grad():
        decoder.iou_prediction_head.layers[-1].bias.fill_(0.9)
        decoder.iou_prediction_head.layers[-1].weight.mul_(0.1)
    return Sam(encoder, prompts, decoder).eval()
