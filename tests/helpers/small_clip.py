"""A CLIP of open_clip that is small enough for tests."""

CONFIG = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 224, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16,
    },
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}  # fmt: skip
"""OpenAI's ViT-B/16, but for its size."""
