"""An exponential moving average of weights, which takes their place when a training has ended."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EMAWeightAveraging


class AveragedWeights(EMAWeightAveraging):
    """Averages weights and BatchNorm's statistics after every step: `a ← d · a + (1 − d) · w`.

    Checkpoints hold the average as well. Lightning's own callback leaves the average only where at
    least one step was trained; a run that is resumed from its last checkpoint has none to train.
    """

    def __init__(self, decay: float) -> None:
        """Take the decay d in (0, 1): 0.99 averages some hundred steps."""
        super().__init__(decay=decay)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Move the average to the device of the weights, which its `setup` came before."""
        assert self._average_model is not None
        self._average_model.to(pl_module.device)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the weights: see `on_fit_end`."""

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the average in the weights' place."""
        self._copy_average_to_current(pl_module)
