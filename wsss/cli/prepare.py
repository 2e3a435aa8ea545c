"""What every command that computes does first."""

import logging
import warnings


def prepare() -> None:
    """Set up the process: memory, and quieter libraries."""
    from wsss.machine.memory import keep_freed_memory

    keep_freed_memory()
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
