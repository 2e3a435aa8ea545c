"""The objects of a run's settings, for parts that call stages and networks themselves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf, open_dict

from wsss.data.source import Source
from wsss.pipeline import data_check
from wsss.pipeline.check_command import check_folder, workers_per_process
from wsss.pipeline.device_choice import on_this_machine
from wsss.pipeline.launch import launched
from wsss.settings.build import build, build_stage
from wsss.settings.compose import compose
from wsss.stage_tools.context import Context

FLOAT32, TF32, BF16 = "float32", "tf32", "bf16"
PRECISIONS = (FLOAT32, TF32, BF16)
LIGHTNING = {FLOAT32: "32-true", TF32: "32-true", BF16: "bf16-mixed"}
"""`trainer.precision` of each."""


class Composed:
    """A checked configuration on this machine, its data set and its stages."""

    def __init__(self, words: Sequence[str], device: str) -> None:
        """Compose the settings of `wsss run`, on `gpu` or `cpu`."""
        self.cfg = on_this_machine(compose("run", [*words, f"trainer={device}"]))
        self.source: Source = build(self.cfg.data)

    def stage(self, name: str) -> "partial[dict[str, float]]":
        """A stage's function with its settings bound."""
        return build_stage(self.cfg, name)

    @contextmanager
    def context(self, folder: Path, precision: str = FLOAT32, **more: Any) -> Iterator[Context]:
        """What a stage of these settings gets, with a precision of its own."""
        trainer = self.cfg.trainer.copy()
        with open_dict(trainer):
            trainer.precision = LIGHTNING[precision]
        settings: Any = OmegaConf.to_container(trainer, resolve=True)
        with launched(trainer, in_this_process=True) as fabric:
            yield Context(
                self.source,
                folder,
                fabric=fabric,
                trainer=settings,
                seed=self.cfg.seed,
                workers=workers_per_process(self.cfg),
                **more,
            )

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width of every readable image, as the data check measures them."""
        folder = check_folder(self.cfg, self.source)
        data_check.inspect(self.source, folder, workers_per_process(self.cfg))
        report = data_check.report(self.source, folder, self.cfg.max_failed_fraction)
        return dict(report.sizes)
