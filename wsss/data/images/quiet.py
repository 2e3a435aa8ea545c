"""Libraries that log what a message says better, or what none may say."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unlogged(library: str) -> Iterator[None]:
    """Keep what a library remarks in the block out of any log.

    Args:
        library: name of its logger.
    """
    logger = logging.getLogger(library)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
