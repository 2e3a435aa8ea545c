"""The processes of a run: started, connected, and watched."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from subprocess import Popen
from threading import Event
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig

from wsss.errors import WsssError, user_error
from wsss.machine.ending import AskedToEnd, ending_when_asked
from wsss.pipeline.heartbeats import DONE, FAILED
from wsss.pipeline.watch import GRACE_S, watch_all, watch_children, watch_parent

STRATEGIES = ("auto", "ddp")
"""How processes may share a training. Those that shard weights, as `fsdp` does, leave no process a
whole network, which stages save, look through for NaN, and compute maps with.
"""

STARTED_BY = {"torchrun": "WORLD_SIZE", "srun": "SLURM_STEP_NUM_TASKS"}
"""Programs that start processes, and the variables that tell how many."""

OF_CONNECTIONS = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")
"""Parts of the messages of operations of several processes."""

TOLD_TO_PROCESSES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")
"""What Lightning tells the processes that it starts; it leaves it in this one's environment."""

SAME_MESSAGE_WAIT = timedelta(seconds=3)
"""How long a process waits for others that end with the same message."""


@contextmanager
def launched(trainer: DictConfig, in_this_process: bool = False) -> Iterator[Fabric]:
    """The connected processes of a run, started here, or found under torchrun and SLURM.

    Every process walks the whole chain; within a stage they share out the work. When one dies, the
    others end with a message instead of waiting for it.

    Args:
        trainer: settings of devices and processes.
        in_this_process: refuse to start further ones, which would run this program again.

    Raises:
        WsssError: there are no such devices, or more than one process is asked for and refused.
    """
    fabric = _fabric(trainer)
    if in_this_process and (count := _to_be_started(fabric)) > 1:
        raise user_error(
            f"trainer.devices={trainer.devices}", f"{count} processes",
            "one: every further process would run the program that asks for it again",
            "Use `wsss run …` in a terminal, or start the program with torchrun.",
        )  # fmt: skip
    surroundings = {name: os.environ.get(name) for name in TOLD_TO_PROCESSES}
    fabric.launch()
    # Torchrun and SLURM, which watch their processes themselves, leave no such list.
    started: list[Popen[bytes]] = getattr(fabric.strategy.launcher, "procs", [])
    children = tuple(started)
    started.clear()  # Lightning's own watcher of this list ends a run without a message.
    finished, interrupted = Event(), Event()
    watch_children(fabric, children, interrupted)
    if fabric.local_rank:
        watch_parent(fabric, finished)
    heartbeats = watch_all(fabric, children)
    last_sign = FAILED
    try:
        with ending_when_asked(fabric.is_global_zero):
            yield fabric
        if fabric.local_rank:
            finished.set()
        fabric.barrier()  # The first process ends when no other watches it any more.
        last_sign = DONE
    except WsssError as error:
        finished.set()
        interrupted.set()  # What the others end with now is no news, and a sweep goes on.
        if told_by_first(fabric, str(error)):
            sys.exit(1)
        raise
    except (KeyboardInterrupt, AskedToEnd):
        finished.set()
        interrupted.set()
        for child in children:  # Ctrl-C reaches all in a terminal, `kill` the first alone.
            child.kill()
        raise
    except Exception as error:
        # Torch's error of a lost connection hides the reason: the watchers' message comes first.
        if heartbeats is not None and is_of_a_connection(error):
            time.sleep(heartbeats.patience_s + GRACE_S)
        elif children or fabric.local_rank:
            time.sleep(GRACE_S + 1 if children else 1)
        raise
    finally:
        if heartbeats is not None:
            heartbeats.end(last_sign)
        if children:
            _forget_processes(surroundings)


def _forget_processes(surroundings: Mapping[str, str | None]) -> None:
    """Let the next run of this process, in a sweep, start processes of its own."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    for name, value in surroundings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def is_of_a_connection(error: Exception) -> bool:
    """Whether an operation of several processes failed since another one is gone."""
    return isinstance(error, RuntimeError) and any(one in str(error) for one in OF_CONNECTIONS)


def told_by_first(fabric: Fabric, message: str) -> bool:
    """Whether this process may end in silence, since the first one ends with the same message.

    The first waits a little until all others have heard of its message, and others for it.
    """
    if fabric.world_size == 1 or not torch.distributed.is_initialized():
        return False
    # Not by a collective operation, which a process without an error would never enter.
    store = torch.distributed.distributed_c10d._get_default_store()
    try:
        if fabric.global_rank == 0:
            store.set("message", message)
            store.wait(
                [f"heard by {rank}" for rank in range(1, fabric.world_size)], SAME_MESSAGE_WAIT
            )
            return False
        store.wait(["message"], SAME_MESSAGE_WAIT)
        told = store.get("message").decode() == message
        store.set(f"heard by {fabric.global_rank}", "")
    except RuntimeError:  # Too late, or the first is gone.
        return False
    return told


def _to_be_started(fabric: Fabric) -> int:
    """Number of processes on this node if they are to be started here, else 1."""
    environment = getattr(fabric.strategy, "cluster_environment", None)
    if environment is None or environment.creates_processes_externally:
        return 1
    return int(getattr(fabric.strategy, "num_processes", 1))


def _fabric(trainer: DictConfig) -> Fabric:
    """The processes that settings ask for, not started yet.

    Raises:
        WsssError: Lightning refuses the settings, stages cannot use the strategy, or processes were
            started that would not take part.
    """
    strategy: Any = trainer.strategy
    if strategy not in STRATEGIES:
        raise user_error(
            "trainer.strategy", f"{strategy!r}", " or ".join(STRATEGIES),
            "Every process needs the whole network, which fits on one card. Use `trainer=ddp` for "
            "several processes; trainer.precision=bf16-mixed saves memory.",
        )  # fmt: skip
    options = {
        "accelerator": trainer.accelerator,
        "devices": trainer.devices,
        "num_nodes": trainer.num_nodes,
        "precision": _of_forward_passes(trainer.precision),
    }
    try:
        fabric = Fabric(strategy=strategy, **options)
        if isinstance(fabric.strategy, DDPStrategy):
            # Ranks wait for each other at the end of a stage, and for the lock of another run.
            fabric = Fabric(strategy=DDPStrategy(timeout=timedelta(days=7)), **options)
    except (RuntimeError, ValueError, TypeError, MisconfigurationException) as error:
        raise _refused(trainer, str(error).splitlines()[0]) from error
    for program, variable in STARTED_BY.items():
        if fabric.world_size == 1 and (count := int(os.environ.get(variable, 1))) > 1:
            raise user_error(
                "trainer", f"{count} processes of {program}, each of which would run everything",
                "settings that share the work out",
                "Add `trainer=ddp` (`trainer=slurm` under srun), or start one process.",
            )  # fmt: skip
    return fabric


def _of_forward_passes(precision: Any) -> Any:
    """The precision in which stages without training compute: mixed as in training, or float32.

    The others convert networks and their input, which is Lightning's task where one trains.
    """
    return precision if "mixed" in str(precision) else "32-true"


def _refused(trainer: DictConfig, reason: str) -> WsssError:
    """The error for settings that Lightning refused for a reason."""
    remedy = "`trainer=cpu` needs none; trainer.devices sets their number."
    where = f"trainer.accelerator={trainer.accelerator}, trainer.devices={trainer.devices}"
    if "num_nodes" in reason:
        return user_error(
            "trainer.num_nodes", str(trainer.num_nodes), "a whole number, 1 or more", "Correct it."
        )
    if "precision" in reason:
        expected = "a precision that Lightning knows on this device, such as 32-true or bf16-mixed"
        return user_error("trainer.precision", str(trainer.precision), expected, "Correct it.")
    if trainer.devices in (0, "0", []):
        return user_error(where, "nothing to compute on", "one device or more", remedy)
    if trainer.accelerator == "cpu":
        came, expected = "a CPU is no list of devices", "a number of processes, 1 or more"
        return user_error(where, came, expected, "Set trainer.devices to it.")
    return user_error(where, reason, "devices that this machine has", remedy)
