"""Images that are seen in tiles, beside images that are seen as a whole."""

import numpy as np
import pytest
from PIL import Image

from wsss.predict.pixel_limit import any_size
from wsss.predict.tiles import Tiling

TILES = ("--tile-px=64", "--overlap-px=32", "--tile-above-megapixels=0")


def read(path):
    with Image.open(path) as opened:
        return np.array(opened)


def test_an_image_that_fits_into_a_tile_is_predicted_as_a_whole(predict, picture, here):
    for name, size in (("a.png", (64, 64)), ("b.png", (40, 64))):
        picture(name, *size)
    assert predict("a.png", "b.png", "output=whole")[0] == 0
    assert predict("a.png", "b.png", "output=tiled", *TILES)[0] == 0
    for path in (here / "whole" / "masks").iterdir():
        assert (here / "tiled" / "masks" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("more", [(), ("--scales=1,0.5", "--flip")])
def test_each_label_is_that_of_the_tile_around_it(predict, picture, here, more):
    path = picture("scan.png", 150, 100)
    image = read(path)
    status, said = predict("scan.png", "output=tiled", *TILES, *more)
    assert status == 0, said
    tiled = read(here / "tiled" / "masks" / "scan.png")
    tiles = Tiling(64, 32, 0).tiles((150, 100))
    assert len(tiles) > 4
    (here / "tiles").mkdir()
    for number, tile in enumerate(tiles):
        Image.fromarray(image[tile.seen]).save(here / "tiles" / f"{number}.png")
    assert predict("tiles", "output=whole", "--batch-size=1", *more)[0] == 0
    for number, tile in enumerate(tiles):
        alone = read(here / "whole" / "masks" / f"{number}.png")
        assert np.array_equal(tiled[tile.kept], alone[tile.core])
    overlay = here / "tiled" / "overlays" / "scan.jpg"
    assert read(overlay).shape[1] >= 100


def test_threads_change_nothing(predict, picture, here):
    picture("scan.png", 150, 100)
    for workers in (0, 3):
        words = (f"output=o{workers}", f"workers={workers}", *TILES)
        assert predict("scan.png", *words)[0] == 0
    assert (here / "o0" / "masks" / "scan.png").read_bytes() == (
        here / "o3" / "masks" / "scan.png"
    ).read_bytes()


@pytest.mark.parametrize("option", ["crf", "probabilities"])
def test_what_tiles_do_not_have_is_told_and_others_have_it(predict, picture, here, option):
    picture("scan.png", 100, 100)
    picture("photo.png", 64, 64)
    status, said = predict("scan.png", "photo.png", "output=o", f"--{option}", *TILES)
    assert status == 0, said
    assert "scan.png: an image of 100 × 100 px, which is seen in tiles" in said
    assert f"Leave `--{option}` out" in said
    assert [path.name for path in (here / "o" / "masks").iterdir()] == ["photo.png"]


def test_pillows_limit_is_lifted_for_these_images_alone(predict, picture, here, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    picture("scan.png", 150, 100)
    assert predict("scan.png", "output=o", *TILES)[0] == 0
    assert Image.MAX_IMAGE_PIXELS == 1000
    with pytest.raises(Image.DecompressionBombError), Image.open(here / "scan.png"):
        pass
    with any_size():
        with any_size():
            assert Image.MAX_IMAGE_PIXELS is None
        assert Image.MAX_IMAGE_PIXELS is None
    assert Image.MAX_IMAGE_PIXELS == 1000
