"""What the stages of a run found in one image, for pictures of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss.artifacts import SEED_STAGES, LabelStore, SeedStore
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.report.panels import Evidence


def evidence_of(source: Source, folders: Mapping[str, Path], split: str, item: Item) -> Evidence:
    """All results that stages wrote for an image; the ground truth is none of them.

    Args:
        source: reads the image.
        folders: of finished stages, by their names.
        split: of the image.
        item: the image.

    Raises:
        WsssError: the image cannot be read.
    """

    def result(stage: str, kind: type[SeedStore | LabelStore], name: str) -> Any:
        if stage not in folders:
            return None
        store = kind(folders[stage] / name)
        return store.read(item) if store.has(item) else None

    *later, first = SEED_STAGES
    last = next((stage for stage in later if stage in folders), "")
    return Evidence(
        image=source.read_image(item),
        seeds=result(first, SeedStore, "seeds"),
        later_seeds=result(last, SeedStore, "seeds"),
        pseudo_mask=result("refine", LabelStore, "masks"),
        prediction=result("evaluate", LabelStore, f"predictions/{split}"),
    )
