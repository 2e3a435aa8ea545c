"""What libraries change in a process when they are imported, changed back; what they ask of it."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def surroundings_kept() -> Iterator[None]:
    """Give the environment and Python's random generator back as they were before the block."""
    state, environment = random.getstate(), dict(os.environ)
    try:
        yield
    finally:
        random.setstate(state)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment for the block alone."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
