import numpy as np

from wsss.predict.overlay import MAX_SIDE_PX, overlay


def test_the_legend_has_the_colour_of_each_class_that_is_there():
    image = np.full((120, 200, 3), 128, dtype=np.uint8)
    mask = np.zeros((120, 200), dtype=np.uint8)
    mask[10:60, 10:60] = 1
    mask[80:100, 100:150] = 3
    drawn = overlay(image, mask, ("cat", "dog", "sofa"))
    picture, legend = drawn[:120], drawn[120:]
    assert picture.shape == (120, 200, 3)
    for label, (row, column) in ((1, (30, 30)), (3, (90, 120))):
        color = picture[row, column]
        assert (picture[mask == label] == color).all(axis=1).mean() > 0.8  # but for the outline
        assert (legend == color).all(axis=2).sum() > 50
    assert (legend == 255).all(axis=2).mean() > 0.5


def test_a_narrow_image_has_room_for_long_names():
    image = np.zeros((30, 20, 3), dtype=np.uint8)
    mask = np.ones((30, 20), dtype=np.uint8)
    drawn = overlay(image, mask, ("a class with a long name",))
    assert drawn.shape[1] > 100
    assert (drawn[:30, 20:] == 255).all()


def test_an_image_without_a_class_says_so():
    image = np.zeros((60, 80, 3), dtype=np.uint8)
    drawn = overlay(image, np.zeros((60, 80), dtype=np.uint8), ("cat",))
    assert (drawn[60:] < 100).any()


def test_large_images_are_reduced():
    image = np.zeros((10, 2 * MAX_SIDE_PX, 3), dtype=np.uint8)
    mask = np.zeros((10, 2 * MAX_SIDE_PX), dtype=np.uint8)
    mask[:, :MAX_SIDE_PX] = 1
    drawn = overlay(image, mask, ("cat",))
    assert drawn.shape[1] == MAX_SIDE_PX
    assert drawn[2, 100].sum() > drawn[2, -100].sum()
