"""Libraries of networks, imported without what a command never uses."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
COMPILER_UTILS = "torch._dynamo.utils"
"""torchvision imports `is_compile_supported` from it."""
TRACKER = "wandb"


class Postponed(ModuleType):
    """A placeholder for a module; an attribute that it lacks imports the module in its place."""

    def __getattr__(self, name: str) -> Any:
        asks_for_parts = (self.__name__, name) == (COMPILER, "__path__")
        if name.startswith("__") and not asks_for_parts:  # `inspect` looks at every module.
            raise AttributeError(name)
        return getattr(imported(self.__name__), name)


def import_timm() -> None:
    """Import torch, torchvision and timm, with placeholders for `torch._dynamo` and `wandb`.

    torchvision and timm import these two, which takes longer than torch itself, and a command that
    explains images uses neither. Whoever needs them later imports them as usual. This is for
    processes of this program alone: `torch._dynamo.disable` marks none of timm's functions.
    """
    with modules_kept():
        import torch  # noqa: F401  # Whole, before a part of it is replaced.

        with placeholders():
            import timm  # noqa: F401


@contextmanager
def modules_kept() -> Iterator[None]:
    """Collect no garbage in the block: modules are none, and looking takes a sixth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def placeholders() -> Iterator[None]:
    """Placeholders for the compiler and the tracker in the block, unless they are imported."""
    if COMPILER not in sys.modules:
        compiler, questions = Postponed(COMPILER), Postponed(COMPILER_UTILS)
        vars(compiler).update(disable=unmarked, utils=questions)
        vars(questions).update(is_compile_supported=is_compile_supported)
        sys.modules.update({COMPILER: compiler, COMPILER_UTILS: questions})
    no_tracker = TRACKER not in sys.modules
    if no_tracker:
        sys.modules[TRACKER] = None  # type: ignore[assignment]  # An import of it fails at once.
    try:
        yield
    finally:
        if no_tracker:
            del sys.modules[TRACKER]
        remove_placeholders()


def remove_placeholders() -> None:
    """Let the next import of the compiler find the real one."""
    for name in (COMPILER, COMPILER_UTILS):
        if isinstance(sys.modules.get(name), Postponed):
            del sys.modules[name]


def imported(name: str) -> ModuleType:
    """A part of the real compiler, after all placeholders are removed."""
    remove_placeholders()
    return import_module(name)


def unmarked(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """The function itself: `torch._dynamo.disable` without its mark."""
    return function


def is_compile_supported(device_type: Any) -> bool:
    """Whether torch can compile for a device, by the real compiler when torchvision calls it."""
    return bool(imported(COMPILER_UTILS).is_compile_supported(device_type))
