"""Trackers of a configuration, each taken up where it was left."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger

from wsss.errors import WsssError, user_error
from wsss.pipeline.tracking.ledger import Ledger, alone
from wsss.pipeline.tracking.mlflow_tracker import MlflowTracker
from wsss.pipeline.tracking.tensorboard_tracker import TensorBoardTracker
from wsss.pipeline.tracking.tracker import Tracker
from wsss.pipeline.tracking.wandb_tracker import WandbTracker
from wsss.settings.build import build

TRACKERS: dict[type, type[Tracker[Any]]] = {
    WandbLogger: WandbTracker,
    TensorBoardLogger: TensorBoardTracker,
    MLFlowLogger: MlflowTracker,
}
"""By the logger they are for; all others take numbers alone."""
EXTRAS = {WandbTracker: "wandb", TensorBoardTracker: "tensorboard", MlflowTracker: "mlflow"}
"""Optional dependencies of this package that install what a tracker needs."""


def open_trackers(cfg: DictConfig, name: str, path: Path) -> list[tuple[Tracker[Any], Ledger]]:
    """The trackers of a run with their ledgers; nothing is begun until something is told.

    Args:
        cfg: the configuration of the run.
        name: of the run.
        path: of the ledgers' file.

    Raises:
        WsssError: a logger's settings are wrong, or its library is not installed.
    """
    with alone(path):
        return [_open(cfg, key, name, path) for key in cfg.logger]


def _open(cfg: DictConfig, key: str, name: str, path: Path) -> tuple[Tracker[Any], Ledger]:
    settings: Mapping[str, Any] = OmegaConf.to_container(cfg.logger[key], resolve=True)  # type: ignore[assignment]
    target = _class(key, str(settings.get("_target_")))
    kind = next((own for base, own in TRACKERS.items() if issubclass(target, base)), Tracker)
    ledger = Ledger(path, kind.place(settings) or key)
    tracker = kind(_built(cfg, key, kind.continuing(settings, name, ledger.run_id), kind))
    if ledger.run_id is not None:
        if tracker.run_id != ledger.run_id:  # The user, or W&B's agent, names another run.
            ledger.begin(tracker.run_id)
        elif not tracker.exists:  # It was removed: another one begins.
            tracker = kind(_built(cfg, key, kind.continuing(settings, name, None), kind))
            ledger.begin(None)
    return tracker, ledger


def _class(key: str, name: str) -> type:
    try:
        return get_class(name)
    except (ImportError, ValueError) as error:
        raise user_error(
            f"logger.{key}._target_", name, "the class of a logger of Lightning",
            "Correct it, such as pytorch_lightning.loggers.CSVLogger.",
        ) from error  # fmt: skip


def _built(
    cfg: DictConfig, key: str, continuing: Mapping[str, Any], kind: type[Tracker[Any]]
) -> Any:
    """The logger of a configuration, with settings that let it go on in its run."""
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.logger[key].update(continuing)
    try:
        return build(cfg.logger[key])
    except InstantiationException as error:
        if not isinstance(error.__cause__, ImportError):
            raise
        raise missing(key, kind, error.__cause__) from error


def missing(key: str, kind: type[Tracker[Any]], error: ImportError) -> WsssError:
    """The error of a tracker whose library is not installed."""
    extra = EXTRAS.get(kind, "")
    return user_error(
        f"logger={key}", f"{error}".splitlines()[0], "its library",
        f"Install it: `pip install 'wsss[{extra}]'`." if extra else "Install it.",
    )  # fmt: skip
