from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Attributes of the stage's own module; its CPU processes import others, without torch."""
    return getattr(import_module(f"{__name__}.stage"), name)
