"""How torch's threads wait for each other on a CPU."""

import os

SPINS = "GOMP_SPINCOUNT"
POLICY = "OMP_WAIT_POLICY"
SOME_SPINS = "10000"
"""Some tenths of a millisecond: longer than from one operation of a network to the next."""


def wait_briefly() -> None:
    """Let threads that wait leave their cores to others soon, unless the user says otherwise.

    They look for each other's results without a pause, 300,000 times by default. Where other
    programs compute on the same cores, a thread can so keep from its core the one that it waits
    for. OpenMP reads this when torch is imported.
    """
    if POLICY not in os.environ:
        os.environ.setdefault(SPINS, SOME_SPINS)
