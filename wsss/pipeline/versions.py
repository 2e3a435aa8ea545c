"""Versions and commit of the code, for manifests."""

import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    "wsss",
    "torch",
    "pytorch-lightning",
    "timm",
    "segmentation-models-pytorch",
    "albumentations",
    "numpy",
)


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {name: version(name) for name in PACKAGES}


def commit() -> str:
    """The commit of the checkout the code runs from, marked `+` if changed; empty elsewhere."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+"]
    answer = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    return answer.stdout.strip()
