"""A CLIP of open_clip that is small enough for tests."""

import json
from pathlib import Path

CONFIG = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 224, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16,
    },
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}  # fmt: skip
"""OpenAI's ViT-B/16, but for its size."""


def write_towers(folder: Path) -> tuple[str, str]:
    """Write random towers; gives the words that name both."""
    import open_clip
    import torch

    torch.manual_seed(0)
    network = open_clip.CLIP(**CONFIG)
    with torch.no_grad():
        for one in network.visual.parameters():
            one += 0.2 * torch.randn(one.shape)
    torch.save(network.state_dict(), folder / "open_clip.pt")
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    return (
        f"backbone.weights={folder / 'open_clip.pt'}",
        f"classify.model={folder / 'open_clip_config.json'}",
    )
