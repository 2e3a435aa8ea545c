"""What a run computes on, where its settings leave that to the machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from omegaconf import DictConfig

from wsss.machine.cores import usable_cores
from wsss.machine.devices import device_name
from wsss.machine.numerics import numerics_kept, set_numerics
from wsss.settings.crf_engine import choose_crf_engine
from wsss.wording import plural

AUTO = "auto"
EXACT = "32-true"
PRECISIONS = {
    "32": EXACT,
    "None": EXACT,
    "64": "64-true",
    "16": "16-mixed",
    "bf16": "bf16-mixed",
}
"""Lightning's other spellings, which would be other fingerprints."""
GPU = ("gpu", "cuda")
"""Lightning's names of a GPU that torch calls CUDA."""


def on_this_machine(cfg: DictConfig) -> DictConfig:
    """The configuration with what it leaves to the machine filled in, by a fixed rule.

    It follows from what the machine has, never from a timing, and before fingerprints are made.

    * `trainer.accelerator=auto`: a GPU if there is one, else the CPU.
    * `trainer.deterministic=null`: `true` on a CPU; `warn` on a GPU, on which some operations have
      no deterministic kernel.
    * `tf32` is false on a CPU, which has none; `trainer.precision` is spelled in one way.
    * the dense CRF's engine, as `choose_crf_engine` says.
    """
    cfg = cfg.copy()
    has_gpu = torch.cuda.is_available()
    cfg.trainer.precision = PRECISIONS.get(str(cfg.trainer.precision), cfg.trainer.precision)
    trainer = cfg.trainer
    if trainer.accelerator == AUTO:
        trainer.accelerator = "gpu" if has_gpu else "cpu"
    if trainer.deterministic is None:
        trainer.deterministic = True if trainer.accelerator == "cpu" else "warn"
    cfg.tf32 = cfg.tf32 and trainer.accelerator != "cpu"
    choose_crf_engine(cfg, has_gpu and trainer.accelerator in GPU)
    return cfg


@contextmanager
def numerics_of(cfg: DictConfig) -> Iterator[None]:
    """Let this process compute as the configuration asks for, in the block."""
    trainer = cfg.trainer
    with numerics_kept():
        set_numerics(
            deterministic=bool(trainer.deterministic),
            warn_only=trainer.deterministic == "warn",
            benchmark=bool(trainer.get("benchmark")),
            tf32=cfg.tf32,
        )
        yield


def described(cfg: DictConfig, fabric: Fabric, asked_for: str) -> str:
    """What a run computes on, in a line.

    Args:
        cfg: the configuration, filled in.
        fabric: the launched processes.
        asked_for: `trainer.accelerator` before it was filled in.
    """
    cores = plural(usable_cores(), "core", "cores")
    shorter = [cfg.trainer.precision] if cfg.trainer.precision != EXACT else []
    shorter += ["TF32"] if cfg.tf32 else []
    networks = f"networks in {' and '.join(shorter)}; " if shorter else ""
    parts = f"{networks}dense CRF by {cfg.dense_crf._target_.rpartition('.')[2]}"
    if fabric.device.type == "cpu":
        why = ", since there is no GPU" if asked_for == AUTO else ""
        processes = f" in {fabric.world_size} processes" if fabric.world_size > 1 else ""
        return f"Computing on the CPU{why}: {cores}{processes}; {parts}"
    name = device_name(fabric.device)
    several = f"{fabric.world_size} × " if fabric.world_size > 1 else ""
    hint = "; `trainer=cpu` leaves it alone" if asked_for == AUTO else ""
    return f"Computing on {several}{name} and {cores}; {parts}{hint}"
