"""Lightning's trainer with the settings of a run."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException

from wsss.errors import user_error


def make_trainer(of_run: Mapping[str, Any], **of_stage: Any) -> pl.Trainer:
    """A trainer with the run's settings and those of a stage.

    Raises:
        WsssError: a setting of the run is unknown, invalid, or set by the stages.
    """
    try:
        trainer = pl.Trainer(**of_run, **of_stage)
    except (MisconfigurationException, TypeError, ValueError, ImportError) as error:
        raise user_error(
            "trainer",
            str(error).splitlines()[0],
            "settings of Lightning's Trainer that the stages do not set themselves",
            "Correct or remove the setting.",
        ) from error
    # Its own handlers broadcast in the middle of other collective operations, which can hang, leave
    # with status 0, and under SLURM write checkpoints in mid-epoch: see `machine/ending.py`.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer
