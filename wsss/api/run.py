"""`wsss.run`: the pipeline, from a notebook or a script."""

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from wsss.api.load import LoadedClassifier, LoadedSegmenter, load
from wsss.errors import user_error
from wsss.machine.surroundings import surroundings_kept

LIBRARIES = ("pytorch_lightning", "lightning_fabric")
"""Libraries whose messages below warnings are silenced."""


@dataclass(frozen=True)
class Run:
    """Results of a run, by stage and in their order."""

    folders: Mapping[str, Path]
    """Folder of each stage's results."""
    numbers: Mapping[str, Mapping[str, Any]]
    """Numbers of each stage."""
    cached: Mapping[str, bool] = field(repr=False)
    """Whether each stage had finished before."""
    saw_masks: tuple[str, ...] = ()
    """Stages in which weights that were trained with masks had a part."""

    @property
    def report(self) -> Path:
        """The report, one HTML page.

        Raises:
            WsssError: the stage `report` was no part of the run.
        """
        return self._folder("report") / "report.html"

    @cached_property
    def segmenter(self) -> LoadedSegmenter:
        """The segmentation network.

        Raises:
            WsssError: the stage `segment` was no part of the run.
        """
        found = load(self._folder("segment"))
        assert isinstance(found, LoadedSegmenter)
        return found

    @cached_property
    def classifier(self) -> LoadedClassifier:
        """The classifier.

        Raises:
            WsssError: the stage `classify` was no part of the run.
        """
        found = load(self._folder("classify"))
        assert isinstance(found, LoadedClassifier)
        return found

    def _folder(self, stage: str) -> Path:
        if stage not in self.folders:
            raise user_error(
                "stages", f"a run of {', '.join(self.folders)}", f"one with `{stage}`",
                f"Add `{stage}` to `stages`, or leave `stages` out to run everything.",
            )  # fmt: skip
        return self.folders[stage]


def run(settings: Sequence[str] = ()) -> Run:
    """Run the pipeline, or find its stages finished.

    Nothing outside `work_dir` is changed: not the command line, the random generators, the
    environment, nor what is logged and warned of.

    Args:
        settings: the words after `wsss run`, such as `["data=folder", "data.root=my_images"]`.

    Raises:
        WsssError: the settings, the data or a stage have a problem the user can mend, or the
            settings ask for several processes: each of them would run the caller's program.
    """
    with surroundings_kept():  # Libraries change them when they are first imported.
        return _run(settings)


def _run(settings: Sequence[str]) -> Run:
    from wsss.pipeline.run import run as run_stages
    from wsss.settings.compose import compose
    from wsss.settings.folders import make_folder

    cfg = compose("run", _words(settings))
    make_folder("work_dir", cfg.work_dir)
    with _own_surroundings(), _output_folder(Path(cfg.work_dir)):
        outcomes = run_stages(cfg, in_this_process=True)
    return Run(
        {outcome.stage: outcome.folder for outcome in outcomes},
        {outcome.stage: outcome.manifest.numbers for outcome in outcomes},
        {outcome.stage: outcome.cached for outcome in outcomes},
        tuple(outcome.stage for outcome in outcomes if outcome.manifest.saw_masks),
    )


def _words(settings: Any) -> list[str]:
    """The words of settings.

    Raises:
        WsssError: they are no list of words, but a text of several, a mapping or something else.
    """
    words = [settings] if isinstance(settings, str) else settings
    several = isinstance(settings, str) and any("=" in word for word in settings.split()[1:])
    if several or isinstance(words, Mapping) or not isinstance(words, Iterable):
        if several:
            words = settings.split()
        elif isinstance(words, Mapping):
            words = [f"{key}={value}" for key, value in words.items()]
        else:
            words = ["data=folder", "data.root=data"]
        raise user_error(
            "settings", f"{settings!r:.80}", "a list of words, as behind `wsss run`",
            f"Give a list: `wsss.run({words!r})`.",
        )  # fmt: skip
    return [str(word) for word in words]


@contextmanager
def _output_folder(work_dir: Path) -> Iterator[None]:
    """Set `${hydra:runtime.output_dir}`, where loggers write, which only Hydra's command sets."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    folder = work_dir / "logs" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    shared = HydraConfig.instance()
    before = shared.cfg
    shared.cfg = OmegaConf.create({"hydra": {"runtime": {"output_dir": str(folder)}}})  # type: ignore[assignment]
    try:
        yield
    finally:
        shared.cfg = before


@contextmanager
def _own_surroundings() -> Iterator[None]:
    """Let the block change generators of libraries, warnings and loggers of its own."""
    import numpy as np
    import torch

    state = np.random.get_state()  # noqa: NPY002 (seeded by Lightning)
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="|".join(LIBRARIES))
        for name in LIBRARIES:
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
