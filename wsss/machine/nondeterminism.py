"""Operations without a deterministic kernel, noted as torch warns of them."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WARNING = re.compile(r"^(.+?) does not have a deterministic implementation")


@contextmanager
def nondeterministic_operations() -> Iterator[set[str]]:
    """Collect the names of operations in the block of which torch warns, and warn once of each.

    Torch warns with `torch.use_deterministic_algorithms(True, warn_only=True)`.
    """
    found: set[str] = set()
    with warnings.catch_warnings():
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
