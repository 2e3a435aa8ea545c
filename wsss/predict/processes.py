"""The processes that share the images of a command: this one, or those of torchrun and SLURM."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from wsss.errors import user_error
from wsss.machine.numerics import numerics_kept, set_numerics

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
"""Variables that torchrun sets."""


@contextmanager
def connected(device: str) -> Iterator[Fabric]:
    """Connect the processes that torchrun or SLURM has started, and compute in float32.

    Args:
        device: that of this process; of several on one node each takes a GPU of its own.

    Raises:
        WsssError: there are fewer GPUs than processes.
    """
    per_node, nodes = started()
    kind, _, index = device.partition(":")
    several = per_node * nodes > 1
    devices: Any = [int(index)] if index and not several else per_node
    strategy: Any = DDPStrategy(timeout=timedelta(days=7)) if several else "auto"
    try:
        fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy)
    except (RuntimeError, ValueError) as error:
        raise user_error(
            f"device={device}", str(error).splitlines()[0],
            f"one device for each of {per_node} processes of a node",
            "Start fewer processes, or use `device=cpu`.",
        ) from error  # fmt: skip
    with numerics_kept():
        set_numerics(deterministic=True, warn_only=kind != "cpu", benchmark=False, tf32=False)
        fabric.launch()
        yield fabric


def started() -> tuple[int, int]:
    """Number of processes on each node, and of nodes, as torchrun or SLURM tells them."""
    if all(name in os.environ for name in TORCHRUN):
        _, world, local = (int(os.environ[name]) for name in TORCHRUN)
        return local, world // local
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", 1))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return 1, 1
