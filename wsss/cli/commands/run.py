"""`wsss run`."""

from omegaconf import DictConfig

from wsss.cli.error_messages import rank
from wsss.cli.prepare import prepare
from wsss.cli.quick_imports import modules_kept


def run(cfg: DictConfig) -> dict[str, float]:
    """Run the pipeline, show its results, and leave a record of it beside its log."""
    with modules_kept():
        from wsss.cli.run_records import recorded
        from wsss.cli.tables import stage_results as summary
        from wsss.pipeline import run as pipeline

    prepare()
    with recorded(cfg) as record:
        outcomes = pipeline.run(cfg)
        record.finish(outcomes)
    if rank() == 0:
        summary.show(outcomes)
    return {
        f"{outcome.stage}/{name}": value
        for outcome in outcomes
        for name, value in outcome.manifest.numbers.items()
    }
