"""Processes of torch's loaders that die, told in words."""

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from wsss.errors import user_error
from wsss.machine.ending import AskedToEnd
from wsss.wording import INTERRUPTED

DEAD = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) "
    r"(?:exited unexpectedly|is killed by signal: (.+?)\.)"
)
"""What torch says of them, from whichever place notices it first: not all know the signal."""
TERMINATED = "Terminated"
OWN_NEWS_S = 1.0
"""How long to wait whether this process is asked to end as well, as a whole group is."""


@contextmanager
def dead_loaders_told(where: str) -> Iterator[None]:
    """In the block, say which process of a loader died, where torch raises a RuntimeError.

    Args:
        where: of what it loads for, such as a stage.

    Raises:
        WsssError: one was killed.
        AskedToEnd: it was asked to end, as all processes of a job are.
    """
    try:
        yield
    except RuntimeError as error:
        if (dead := DEAD.search(str(error))) is None:
            raise
        time.sleep(OWN_NEWS_S)
        if dead[2] == TERMINATED:
            raise AskedToEnd(signal.SIGTERM) from None
        how = f"was killed ({dead[2]})" if dead[2] else "was killed"
        raise user_error(
            where,
            f"the loader process {dead[1]} {how}, by hand or for want of memory",
            "processes that live until all images are read",
            "If memory ran out, use fewer `workers`; `workers=0` needs no such process. "
            f"{INTERRUPTED}",
        ) from error
