"""Libraries of networks, imported without what a command never uses."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
QUESTIONS = "torch._dynamo.utils"
"""Of the compiler: where torchvision finds the function that it asks about devices."""
TRACKER = "wandb"


class Postponed(ModuleType):
    """A module that is imported when something is asked of it that its stand-in lacks."""

    def __getattr__(self, name: str) -> Any:
        asks_for_parts = (self.__name__, name) == (COMPILER, "__path__")
        if name.startswith("__") and not asks_for_parts:  # `inspect` looks at every module.
            raise AttributeError(name)
        return getattr(imported(self.__name__), name)


def import_timm() -> None:
    """Import torch, torchvision and timm in half of the time that they usually take.

    torchvision and timm ask torch's compiler whether it can compile for a device and to leave
    functions alone, and timm looks for a tracker. Importing the two takes longer than importing
    torch, and a command that explains images uses neither. They are imported as usual by whoever
    needs them later. For processes of this program alone: functions of timm are not marked for the
    compiler.
    """
    gc.disable()  # Modules are not garbage: looking for some takes a sixth of the time.
    try:
        import torch  # noqa: F401  # Whole, before a part of it is replaced.

        with stand_ins():
            import timm  # noqa: F401
    finally:
        gc.enable()


@contextmanager
def stand_ins() -> Iterator[None]:
    """Stand-ins for the compiler and the tracker, where they are not yet imported."""
    if COMPILER not in sys.modules:
        compiler, questions = Postponed(COMPILER), Postponed(QUESTIONS)
        vars(compiler).update(disable=unmarked, utils=questions)
        vars(questions).update(is_compile_supported=is_compile_supported)
        sys.modules.update({COMPILER: compiler, QUESTIONS: questions})
    no_tracker = TRACKER not in sys.modules
    if no_tracker:
        sys.modules[TRACKER] = None  # type: ignore[assignment]  # An import of it fails at once.
    try:
        yield
    finally:
        if no_tracker:
            del sys.modules[TRACKER]
        forget_stand_ins()


def forget_stand_ins() -> None:
    """Let the next import of the compiler find the compiler."""
    for name in (COMPILER, QUESTIONS):
        if isinstance(sys.modules.get(name), Postponed):
            del sys.modules[name]


def imported(name: str) -> ModuleType:
    """A part of the compiler, in place of all stand-ins."""
    forget_stand_ins()
    return import_module(name)


def unmarked(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """The function itself, instead of one that the compiler leaves alone."""
    return function


def is_compile_supported(device_type: Any) -> bool:
    """Whether torch can compile for a device, asked of torch when torchvision wants to know."""
    return bool(imported(QUESTIONS).is_compile_supported(device_type))
