from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from wsss.artifacts import Seeds
from wsss.report.panels import (
    GROUND_TRUTH,
    GUTTER_PX,
    TITLE_PX,
    Evidence,
    data_uri,
    draw_panels,
    fit,
    strip,
    strongest,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
MASK = np.zeros((30, 40), dtype=np.uint8)
MASK[5:10] = 2


def seeds(*labels: int) -> Seeds:
    maps = np.zeros((len(labels), 8, 10), dtype=np.float16)
    for position, one in enumerate(maps):
        one[position] = 1
    return Seeds(np.array(labels, dtype=np.uint16), maps, (30, 40))


def test_only_what_exists_is_drawn():
    assert [p.title for p in draw_panels(Evidence(IMAGE), 24, ("a", "b"))] == ["image"]
    everything = Evidence(IMAGE, seeds(1, 2), MASK, MASK, MASK, seeds(1))
    panels = draw_panels(everything, 24, ("a", "b"))
    titles = ["image", "CAM", "refined map", "pseudo mask", "prediction", GROUND_TRUTH]
    assert [panel.title for panel in panels] == titles
    assert panels[1].note == "a, b"
    assert {panel.picture.shape for panel in panels} == {(24, 32, 3)}
    assert everything.present == {0, 2}


def test_an_image_without_tags_has_no_cam():
    assert [p.title for p in draw_panels(Evidence(IMAGE, seeds()), 24, ())] == ["image"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((50, 100), (100, 200)),
        ((200, 100), (100, 50)),
        ((10, 400), (5, 200)),
        ((4000, 1), (100, 1)),
    ],
)
def test_sizes_of_panels(size: tuple[int, int], expected: tuple[int, int]):
    assert fit(*size, height_px=100) == expected


def test_heat_is_the_maximum_over_tags():
    heat = strongest(seeds(1, 2), 8, 10)
    np.testing.assert_array_equal(heat[:2], 1)
    np.testing.assert_array_equal(heat[2:], 0)


def test_strip_puts_panels_side_by_side():
    panels = draw_panels(Evidence(IMAGE, truth=MASK), 30, ("a", "b"))
    drawn = strip(panels)
    assert drawn.shape == (30 + TITLE_PX, 2 * 40 + GUTTER_PX, 3)
    np.testing.assert_array_equal(drawn[TITLE_PX:, :40], panels[0].picture)
    np.testing.assert_array_equal(drawn[TITLE_PX:, -40:], panels[1].picture)


def test_data_uri_is_a_jpeg():
    head, _, content = data_uri(IMAGE).partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(BytesIO(b64decode(content))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (40, 30))
