"""Whether a stage's training can be run, found out before anything is computed."""

from wsss.argument_checks import MOST, check_at_least, check_whole
from wsss.errors import InvalidOptionError, user_error
from wsss.stage_tools.context import Context
from wsss.stage_tools.trainer import make_trainer


def check_schedule(
    context: Context,
    max_epochs: int,
    batch_size: int,
    lr: float,
    checkpoint_every_n_epochs: int = 1,
    **lr_factors: float,
) -> None:
    """Find out before anything is computed whether a stage's training can be run.

    Args:
        context: of the stage.
        max_epochs: of the training.
        batch_size: over all processes.
        lr: learning rate.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        lr_factors: of the layers that learn faster, by the names of their settings.

    Raises:
        InvalidOptionError: a learning rate is negative, or more than float32 can hold.
        WsssError: nothing to train, a batch that cannot be shared out evenly, or a setting that
            Lightning's trainer does not know or that a stage sets itself.
    """
    for name, value in (("max_epochs", max_epochs), ("batch_size", batch_size)):
        if value < 1:
            raise user_error(f"{context.stage}.{name}", str(value), "1 or more", "Correct it.")
    check_whole(1, checkpoint_every_n_epochs=checkpoint_every_n_epochs)
    check_at_least(0, lr=lr, **lr_factors)
    for name, factor in lr_factors.items():
        if factor * lr > MOST:
            raise InvalidOptionError(name, factor, f"a number that times lr is {MOST:g} at most")
    ranks = context.fabric.world_size
    if batch_size % ranks:
        sizes = {ranks * max(1, batch_size // ranks), ranks * (batch_size // ranks + 1)}
        counts = [str(n) for n in range(1, batch_size + 1) if batch_size % n == 0]
        raise user_error(
            f"{context.stage}.batch_size",
            f"a batch of {batch_size} on {ranks} processes",
            f"a multiple of {ranks}: a batch is shared out evenly over all processes",
            f"Set {context.stage}.batch_size to {' or '.join(map(str, sorted(sizes)))}, or use "
            f"{', '.join(counts)} processes (trainer.devices × trainer.num_nodes).",
        )
    make_trainer(context.trainer, max_epochs=max_epochs, logger=False, enable_checkpointing=False)
