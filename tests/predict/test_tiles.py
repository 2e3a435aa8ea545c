import numpy as np
import pytest

from wsss.predict.tiles import Tiling, spans


@pytest.mark.parametrize("side", [64, 65, 100, 101, 128, 1000])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 0), (64, 16), (64, 63), (200, 50)])
def test_each_pixel_counts_in_one_tile_that_sees_as_much_around_it_as_asked_for(
    side, tile, overlap
):
    counted = np.zeros(side, dtype=int)
    for span in spans(side, tile, overlap):
        assert span.stop - span.start == min(tile, side)
        assert 0 <= span.start <= span.first < span.last <= span.stop <= side
        assert span.first == 0 or span.first - span.start >= overlap // 2
        assert span.last == side or span.stop - span.last >= overlap // 2
        counted[span.first : span.last] += 1
    assert (counted == 1).all()


def test_a_side_is_cut_into_as_few_tiles_as_suffice():
    assert [len([*spans(side, 100, 20)]) for side in (100, 101, 180, 181)] == [1, 2, 2, 3]
    assert [span.start for span in spans(180, 100, 20)] == [0, 80]


def test_tiles_of_an_image_cover_it_once():
    tiling = Tiling(tile_px=32, overlap_px=8, above_megapixels=0)
    counted = np.zeros((70, 45), dtype=int)
    image = np.arange(70 * 45).reshape(70, 45)
    for tile in tiling.tiles((70, 45)):
        assert image[tile.seen].shape == (32, 32)
        assert np.array_equal(image[tile.seen][tile.core], image[tile.kept])
        counted[tile.kept] += 1
    assert (counted == 1).all()


@pytest.mark.parametrize(
    ("size", "above", "cut"),
    [
        ((1000, 1000), 1.0, False),
        ((1000, 1001), 1.0, True),
        ((1000, 1001), None, False),
        ((64, 64), 0.0, False),
        ((64, 65), 0.0, True),
    ],
)
def test_images_are_cut_above_a_number_of_pixels_if_they_exceed_a_tile(size, above, cut):
    assert Tiling(64, 16, above).cuts(size) is cut
