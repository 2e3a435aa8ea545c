"""Provenance of the results: stages, failures, settings."""

import json

from wsss.report.results import Results
from wsss.report.section import WHAT_RAN, Section

MAX_FAILURES = 100
"""More are counted, and stay in the stage's manifest."""


def stages(results: Results) -> Section | None:
    """A table of the stages: cost and numbers."""
    if not results.manifests:
        return None
    return Section(
        name="stages",
        title="Stages",
        lead="Time, devices and memory are those of the run that computed a stage; "
        "later runs may have found it in the cache.",
        data={
            "manifests": results.manifests,
            "has_gpu": any(one.peak_gpu_memory_mb for one in results.manifests.values()),
        },
        part=WHAT_RAN,
    )


def failures(results: Results) -> Section | None:
    """The images that stages could not process, with the reasons."""
    failed = {
        stage: list(manifest.failures.items())
        for stage, manifest in results.manifests.items()
        if manifest.failures
    }
    if not failed:
        return None
    return Section(
        name="failures",
        title="Failures",
        lead="Images that a stage could not work on; it went on without them.",
        data={"failed": failed, "most": MAX_FAILURES},
        part=WHAT_RAN,
    )


def settings(results: Results) -> Section | None:
    """The resolved settings of every stage, and the versions it ran with."""
    if not results.manifests:
        return None
    texts = {
        stage: json.dumps(manifest.config, indent=2, ensure_ascii=False, default=str)
        for stage, manifest in results.manifests.items()
    }
    return Section(
        name="settings",
        title="Settings",
        lead="As the stages got them, with everything resolved.",
        data={"manifests": results.manifests, "texts": texts},
        part=WHAT_RAN,
    )
