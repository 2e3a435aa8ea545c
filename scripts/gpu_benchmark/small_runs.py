"""Settings of small runs: the embedded data set, or a few photographs of the user's."""

from collections.abc import Sequence
from pathlib import Path

from linked_photographs import linked, table_rows

EMBEDDED = ("data=synthetic", "data.num_train=48", "data.num_val=12", "dense_crf.seeds_sxy_px=40")
STAGES = (
    "classify.max_epochs=20",
    "classify.feature_windows=2",
    "segmenter.trains_from=blocks.6",
    "segment.max_epochs=2",
    "segment.batch_size=8",
    "segment.augmentation.crop_px=128",
    "evaluate.gallery_images=1",
)
WALK = (
    "refine=affinity_crf",
    "affinity.max_epochs=2",
    "affinity.augmentation.crop_px=128",
    "propagate.num_steps=64",
)
PHOTOGRAPHS = 60


def small_data(data: Path | None, folder: Path, count: int = PHOTOGRAPHS) -> tuple[str, ...]:
    """Settings of a small data set.

    Args:
        data: root of a `data=folder` data set; None for the embedded one.
        folder: where links to the chosen photographs are made.
        count: how many photographs, spread evenly over the table.
    """
    if data is None:
        return EMBEDDED
    root = data.absolute()
    rows = table_rows(root)
    count = min(count, len(rows))
    chosen = [rows[index * len(rows) // count] for index in range(count)]
    return ("data=folder", f"data.root={linked(root, chosen, folder)}")


def chosen_stages(*stages: str) -> str:
    return f"stages=[{','.join(stages)}]"


def settings(data: Sequence[str], *more: str) -> list[str]:
    """Settings of a small run, the last of which win."""
    return [*data, *STAGES, *more]
