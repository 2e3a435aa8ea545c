"""Operations without a deterministic kernel, noted as torch warns of them."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

WARNING = re.compile(
    "^(.+?) (?:does not have a deterministic implementation"
    "|defaults to a non-deterministic algorithm)"  # attention
)


@contextmanager
def nondeterministic_operations() -> Iterator[set[str]]:
    """Collect the names of operations in the block of which torch warns, and warn once of each.

    Torch warns with `torch.use_deterministic_algorithms(True, warn_only=True)`.
    """
    found: set[str] = set()
    with _torch_repeating_itself(), warnings.catch_warnings():
        # Python's filters would show a line's warning once in a process: to the first block alone.
        warnings.filterwarnings("always", message=WARNING.pattern)
        show = warnings.showwarning

        def note(message: Warning | str, *more: Any, **keywords: Any) -> None:
            name = WARNING.match(str(message))
            if name is None or name[1] not in found:
                show(message, *more, **keywords)
            if name is not None:
                found.add(name[1])

        warnings.showwarning = note
        yield found


@contextmanager
def _torch_repeating_itself() -> Iterator[None]:
    """Let torch warn in the block of what it has warned of before: of attention it does so once."""
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        yield
    finally:
        torch.set_warn_always(always)
