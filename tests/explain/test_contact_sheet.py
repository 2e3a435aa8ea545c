import numpy as np
from PIL import ImageFont

from wsss.explain.contact_sheet import Row, overlay, sheet, shortened
from wsss.report.overlays import heat_overlay
from wsss.report.panels import GUTTER_PX, TITLE_FONT_PX, TITLE_PX

IMAGE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
HEAT = np.linspace(0, 1, 30 * 40, dtype=np.float32).reshape(30, 40)


def test_a_row_a_class_and_a_column_a_method():
    rows = [
        Row("cat", 0.9, {"cam": HEAT, "gradcam": 1 - HEAT}),
        Row("dog", 0.1, {"cam": HEAT * 0, "gradcam": HEAT}),
    ]
    drawn = sheet(IMAGE, rows, height_px=30)
    row_px, column_px = TITLE_PX + 30 + GUTTER_PX, 40 + GUTTER_PX
    assert drawn.shape == (2 * row_px, 3 * 40 + 2 * GUTTER_PX, 3)
    for row, maps in enumerate([(HEAT, 1 - HEAT), (HEAT * 0, HEAT)]):
        top = row * row_px + TITLE_PX
        np.testing.assert_array_equal(drawn[top : top + 30, :40], IMAGE)
        for column, heat in enumerate(maps, 1):
            left = column * column_px
            picture = drawn[top : top + 30, left : left + 40]
            np.testing.assert_array_equal(picture, heat_overlay(IMAGE, heat))
        assert (drawn[top - TITLE_PX : top] < 255).any(), "a row without titles"


def test_many_methods_go_on_below():
    maps = {f"m{number}": HEAT if number % 2 else 1 - HEAT for number in range(10)}
    drawn = sheet(IMAGE, [Row("cat", 0.9, maps)], height_px=30)
    row_px, column_px = TITLE_PX + 30 + GUTTER_PX, 40 + GUTTER_PX
    assert drawn.shape == (2 * row_px, 6 * column_px - GUTTER_PX, 3)
    assert (drawn[row_px:, :40] == 255).all()
    for number, heat in enumerate(maps.values()):
        top, left = number // 5 * row_px + TITLE_PX, (1 + number % 5) * column_px
        picture = drawn[top : top + 30, left : left + 40]
        np.testing.assert_array_equal(picture, heat_overlay(IMAGE, heat))


def test_an_overlay_has_the_size_of_its_map():
    assert overlay(IMAGE, HEAT[:15, :20]).shape == (15, 20, 3)
    np.testing.assert_array_equal(overlay(IMAGE, HEAT), heat_overlay(IMAGE, HEAT))


def test_titles_are_no_wider_than_their_picture():
    name = "tabby, tabby cat, and other very long names"
    font = ImageFont.load_default(size=TITLE_FONT_PX)
    for width in (10, 60, 120):
        short = shortened(name, width)
        assert font.getlength(short) <= width
        assert short.endswith("…")
        assert name.startswith(short[:-1])
    assert shortened("cat", 60) == "cat"
