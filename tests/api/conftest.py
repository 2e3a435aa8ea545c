"""A run that takes seconds."""

import pytest


@pytest.fixture(scope="session")
def tiny_run() -> tuple[str, ...]:
    """Words of a run whose stages do as little as they can, whatever the data."""
    return (
        "workers=1",
        "classify.max_epochs=1",
        "classify.feature_scales.factors=[1.0]",
        "classify.feature_windows=1",
        "localize.scales.factors=[1.0]",
        "refine.method.engine.num_iterations=1",
        "segmenter.decoder_channels=16",
        "segmenter.trains_from=blocks.6",
        "segment.max_epochs=1",
        "segment.batch_size=3",
        "segment.augmentation.crop_px=64",
        "evaluate.scales.factors=[1.0]",
        "evaluate.crf.num_iterations=1",
        "evaluate.gallery_images=1",
    )
