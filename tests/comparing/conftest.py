"""Finished evaluations of random masks, written as the stages write them."""

from itertools import count

import numpy as np
import pytest

from wsss.artifacts import Manifest, RunRecord
from wsss.comparing.compared_run import read_runs
from wsss.metrics.confusion import confusion_matrix
from wsss.metrics.overlaps import overlaps
from wsss.stage_tools.image_counts import IMAGE_COUNTS, ImageCounts, sparse, write_image_counts

NUM_CLASSES = 3


@pytest.fixture
def scored_run(tmp_path):
    """Writes a run with an evaluation of pseudo masks [n, h, w], and reads it."""
    keys = count()

    def write(predictions, truths, words=(), ids=None, calibration=None, subject="pseudo_masks"):
        key = f"e{next(keys)}"
        folder = tmp_path / "evaluate" / key
        folder.mkdir(parents=True)
        seed = int(dict(word.split("=") for word in words).get("seed", 0))
        basis = {"masks": {}, "seed": seed}
        Manifest("evaluate", key, {}, {f"{subject}_miou": 0.5}, basis).write(folder)
        every = np.stack([
            overlaps(confusion_matrix(one, truth, NUM_CLASSES))
            for one, truth in zip(predictions, truths, strict=True)
        ])  # fmt: skip
        names = tuple(ids or (f"image_{place:03d}" for place in range(len(every))))
        counts = ImageCounts(names, sparse(every), None, calibration)
        write_image_counts(folder / IMAGE_COUNTS, {subject: counts})
        log = tmp_path / "logs" / "sweep" / key
        record = RunRecord([*words], "finished")
        record.note_stages(log, {"evaluate": folder})
        record.write(log)
        return read_runs([log])[0]

    return write


@pytest.fixture
def masks():
    """Truths [n, h, w], and a way to spoil a share of their pixels."""
    rng = np.random.default_rng(7)
    truths = rng.integers(NUM_CLASSES + 1, size=(30, 8, 8)).astype(np.uint8)

    def spoilt(share):
        wrong = rng.integers(NUM_CLASSES + 1, size=truths.shape).astype(np.uint8)
        return np.where(rng.random(truths.shape) < share, wrong, truths)

    return truths, spoilt
