"""Artefacts of a run and what each was made of, from manifests."""

from pathlib import Path

from wsss.artifacts import Manifest
from wsss.data.source import Source
from wsss.pipeline.tracking.records import Artefact, file_uri

KINDS = {
    "classify": "classifier",
    "reactivate": "reactivated_classifier",
    "oppose": "opposed_classifier",
    "localize": "seeds",
    "affinity": "affinity_network",
    "propagate": "propagated_seeds",
    "probe": "probed_seeds",
    "propose": "mask_proposals",
    "refine": "pseudo_masks",
    "segment": "segmenter",
    "evaluate": "predictions",
    "oracle_bound": "oracle_bound",
    "oracle_bound_same_schedule": "oracle_bound_same_schedule",
    "report": "report",
}
"""What each stage makes."""


def artefacts_of(manifest: Manifest, folder: Path, source: Source) -> tuple[Artefact, ...]:
    """The images and tags that a stage saw, and what it made of them and of earlier stages.

    Args:
        manifest: of the finished stage.
        folder: of the stage.
        source: the data set.
    """
    data = [
        Artefact(
            kind=f"{split}_data",
            stage="",
            fingerprint=digest,
            uri=source.address,
            facts={"data_set": source.name},
        )
        for split, digest in manifest.basis.get("data", {}).items()
    ]
    inputs = manifest.basis.get("inputs", {})
    made = Artefact(
        kind=KINDS.get(manifest.stage, manifest.stage),
        stage=manifest.stage,
        fingerprint=manifest.fingerprint,
        uri=file_uri(folder),
        made_of=(
            *(one.name for one in data),
            *(f"{KINDS.get(stage, stage)}-{digest}" for stage, digest in inputs.items()),
        ),
        facts={
            "commit": manifest.commit,
            "finished_at": manifest.finished_at,
            "given": "yes" if manifest.is_given else "no",
            "saw_masks": "yes" if manifest.saw_masks else "no",
        },
    )
    return *data, made
