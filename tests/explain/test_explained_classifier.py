import pytest
from torch import nn

from wsss.explain.explained_classifier import Classifier
from wsss.models import SplitClassifier


@pytest.mark.parametrize(
    ("settings", "size", "factors", "seen"),
    [
        ({}, (100, 160), (1.0, 0.5), [(96, 160), (48, 80)]),
        ({"short_side_px": 224}, (100, 200), (1.0,), [(224, 448)]),
        ({"short_side_px": 224}, (448, 672), (1.0, 2.0), [(224, 336), (448, 672)]),
        ({}, (2048, 1024), (1.0, 1.5), [(1024, 512), (1536, 768)]),
        ({"short_side_px": 224}, (100, 3000), (1.0,), [(32, 1024)]),
        ({"fixed_side_px": 224}, (100, 3000), (1.0,), [(224, 224)]),
    ],
)
def test_sizes_at_which_images_are_seen(settings, size, factors, seen):
    model = SplitClassifier(nn.Identity(), nn.Identity())
    classifier = Classifier("mine", model, (), 16, **settings)
    assert list(classifier.sizes(size, factors)) == seen
