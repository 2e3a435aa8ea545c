from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """What the stage's own module holds; its CPU processes import others, and no torch."""
    return getattr(import_module(f"{__name__}.stage"), name)
