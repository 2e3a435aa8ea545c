"""One process on a device, for commands that compute beside the stages of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning_fabric import Fabric

from wsss.machine.numerics import numerics_kept, set_numerics


@contextmanager
def one_process(device: str) -> Iterator[Fabric]:
    """A process that computes in float32 as a run does; torch's settings are put back afterwards.

    Args:
        device: such as `cpu` or `cuda:1`.
    """
    kind, _, index = device.partition(":")
    devices: Any = [int(index)] if index else 1
    with numerics_kept():
        set_numerics(deterministic=True, warn_only=kind != "cpu", benchmark=False, tf32=False)
        yield Fabric(accelerator=kind, devices=devices)
