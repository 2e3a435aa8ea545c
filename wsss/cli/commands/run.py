"""`wsss run`."""

from omegaconf import DictConfig

from wsss.cli.error_messages import rank
from wsss.cli.prepare import prepare
from wsss.cli.quick_imports import modules_kept


def run(cfg: DictConfig) -> dict[str, float]:
    """Run the pipeline and show its results."""
    with modules_kept():
        from wsss.cli.tables import stage_results as summary
        from wsss.pipeline import run as pipeline

    prepare()
    outcomes = pipeline.run(cfg)
    if rank() == 0:
        summary.show(outcomes)
    return {
        f"{outcome.stage}/{name}": value
        for outcome in outcomes
        for name, value in outcome.manifest.numbers.items()
    }
