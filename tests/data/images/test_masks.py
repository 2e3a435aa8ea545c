import numpy as np
import pytest
from PIL import Image

from wsss.data.images import check_mask_size, read_mask
from wsss.errors import WsssError

LABELS = np.array([[0, 1, 2], [255, 2, 0]], dtype=np.uint8)


def test_palette_mask(tmp_path):
    picture = Image.fromarray(LABELS).convert("L")
    picture.putpalette([value for label in range(256) for value in (label, 7, 255 - label)])
    picture.save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png", num_classes=2)
    np.testing.assert_array_equal(mask, LABELS)
    assert mask.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_greyscale_mask(tmp_path, dtype):
    Image.fromarray(LABELS.astype(dtype)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png", 2), LABELS)


def test_one_bit_mask(tmp_path):
    Image.fromarray(LABELS == 2).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png", 1), LABELS == 2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_coloured_mask_is_refused(tmp_path, mode):
    Image.fromarray(LABELS).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(
        WsssError, match=rf"a\.png: .*\(mode {mode}\)\. .*palette or greyscale.*Save"
    ):
        read_mask(tmp_path / "a.png", 2)


def test_unknown_mask_values_are_listed(tmp_path):
    Image.fromarray(np.array([[0, 1, 3, 200, 255]], dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(WsssError, match=r"a\.png: .*unknown values: 3, 200\. .*1…2.*Renumber"):
        read_mask(tmp_path / "a.png", 2)


def test_truncated_mask(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (20, 30), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:80])
    with pytest.raises(WsssError, match=r"a\.png: unreadable image"):
        read_mask(tmp_path / "a.png", 255)


def test_mask_size(tmp_path):
    check_mask_size(tmp_path / "a.png", (20, 30), (20, 30))
    with pytest.raises(WsssError, match=r"a\.png: a mask of 15 × 10 px for an image of 30 × 20 px"):
        check_mask_size(tmp_path / "a.png", (10, 15), (20, 30))
    with pytest.raises(WsssError, match="EXIF"):
        check_mask_size(tmp_path / "a.png", (30, 20), (20, 30))
