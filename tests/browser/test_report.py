"""The report's gallery does in a browser what its controls and keys say."""

import json
import re
import zlib
from base64 import b64decode
from pathlib import Path

import cv2
import numpy as np
import pytest

from wsss.artifacts import Seeds
from wsss.refine.pseudo_label import threshold_mask, upsample
from wsss.report.header import header
from wsss.report.layers import budget, encode_layers
from wsss.report.overlays import palette
from wsss.report.page import render
from wsss.report.panels import Evidence
from wsss.report.results import DoubtfulImage, Gallery, Results
from wsss.report.sections import all_sections

NAMES = ("cat", "dog", "owl")
COUNT = 30
HEIGHT, WIDTH = 60, 90


def entry(position: int) -> tuple[DoubtfulImage, dict]:
    """An image whose doubt grows with its position; every third has tags 1 and 3, others 2."""
    rng = np.random.default_rng(position)
    labels = (1, 3) if position % 3 == 0 else (2,)
    maps = np.stack(
        [cv2.GaussianBlur(rng.random((HEIGHT // 4, WIDTH // 4)), (0, 0), 2) for _ in labels]
    )
    maps = ((maps - maps.min()) / np.ptp(maps)) ** 2
    split = "train" if position < COUNT - 6 else "val"
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[10:30, 20:70] = labels[0]
    evidence = Evidence(
        rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        seeds=Seeds(np.array(labels, dtype=np.uint16), maps.astype(np.float16), (HEIGHT, WIDTH))
        if split == "train"
        else None,
        pseudo_mask=mask if split == "train" else None,
        prediction=mask if split == "val" else None,
        truth=np.roll(mask, 5, axis=0),
    )
    image = DoubtfulImage(split, f"{split}/img {position}", position / COUNT, {"lost_tags": 0.5})
    own = {"id": image.item_id, "split": split, "tags": labels, "doubt": image.doubt}
    layers = encode_layers(evidence, budget(COUNT))
    return image, {**own, "parts": image.parts, "score": 1 - position / COUNT, **layers}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    images, entries = zip(*map(entry, range(COUNT)), strict=True)
    gallery = Gallery(entries, COUNT, {"cam": 0.3})
    results = Results("pets", NAMES, images=images, gallery=gallery)
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render(header(results), all_sections(results)), encoding="utf-8")
    return file


def drawn(page):
    page.wait_for_selector("body[data-drawn=yes]", timeout=30_000)
    return page


def ids(page) -> list[str]:
    return page.eval_on_selector_all(".card .id", "all => all.map((one) => one.textContent)")


def set_slider(page, name: str, value: float) -> None:
    page.eval_on_selector(
        f"#gallery-{name}",
        "(one, value) => { one.value = value; one.dispatchEvent(new Event('input')); }",
        value,
    )


def pixels(page, selector: str) -> np.ndarray:
    """The colours of a canvas, uint8 [h, w, 3]."""
    width, height, values = page.eval_on_selector(
        selector,
        "one => { const { width, height } = one;"
        "const copy = new OffscreenCanvas(width, height);"
        "const context = copy.getContext('2d', { willReadFrequently: true });"
        "context.drawImage(one, 0, 0);"
        "return [width, height, [...context.getImageData(0, 0, width, height).data]]; }",
    )
    return np.array(values, dtype=np.uint8).reshape(height, width, 4)[..., :3]


def layer(page, text: str) -> None:
    page.click(f"#gallery-layers label:has-text('{text}')")


def as_coloured(colours: np.ndarray) -> np.ndarray:
    """The label of each pixel that has exactly the colour of a class; 0 of others."""
    found = np.zeros(colours.shape[:2], dtype=np.uint8)
    for label in range(1, len(NAMES) + 1):
        found[(colours == palette()[label]).all(axis=2)] = label
    return found


def stored_maps(path: Path, item_id: str) -> tuple[np.ndarray, np.ndarray]:
    """The maps of an image as they are in the page, in [0, 1], and their labels."""
    data = re.search(r'id="gallery-data">(.*?)</script>', path.read_text(), re.S)[1]
    one = next(one for one in json.loads(data)["entries"] if one["id"] == item_id)["maps"][0]
    width, height = one["size"]
    steps = np.frombuffer(zlib.decompress(b64decode(one["data"])), dtype=np.uint8)
    levels = steps.reshape(-1, height, width).cumsum(1, dtype=np.uint8).cumsum(2, dtype=np.uint8)
    return levels.astype(np.float32) / 255, np.array(one["labels"], dtype=np.uint16)


@pytest.mark.parametrize("threshold", [0.2, 0.45, 0.7])
def test_the_slider_thresholds_the_stored_maps(open_page, path, threshold):
    page = drawn(open_page(path))
    page.select_option("#gallery-split", "train")
    layer(page, "CAM ≥ threshold")
    set_slider(page, "opacity", 1)
    set_slider(page, "threshold", threshold)
    drawn(page)
    for item_id in ids(page)[:3]:
        shown = as_coloured(pixels(page, f".card[data-id='train/{item_id}'] canvas"))
        maps, labels = stored_maps(path, item_id)
        expected = threshold_mask(upsample(maps, (HEIGHT, WIDTH)), labels, threshold)
        assert 0 < (expected > 0).mean() < 1
        # Rounding of float32 moves single pixels that lie on the threshold.
        assert (shown != expected).mean() < 0.002


def test_layers_outlines_and_opacity(open_page, path):
    page = drawn(open_page(path))
    page.select_option("#gallery-split", "train")
    first = f".card[data-id='train/{ids(page)[0]}'] canvas"
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[10:30, 20:70] = True
    set_slider(page, "opacity", 1)
    layer(page, "pseudo mask")
    np.testing.assert_array_equal(as_coloured(pixels(drawn(page), first)) > 0, mask)
    layer(page, "ground truth")
    truth = as_coloured(pixels(drawn(page), first)) > 0
    np.testing.assert_array_equal(truth, np.roll(mask, 5, axis=0))
    layer(page, "image")
    plain = pixels(drawn(page), first)
    page.select_option("#gallery-outline", "pseudo_mask")
    edges = (pixels(drawn(page), first) == 255).all(axis=2)
    assert edges[10, 20:70].all()
    assert not edges[15:25, 25:65].any()
    page.select_option("#gallery-outline", "")
    layer(page, "pseudo mask")
    set_slider(page, "opacity", 0)
    np.testing.assert_array_equal(pixels(drawn(page), first), plain)


def test_filters_search_sorting_and_pages(open_page, path):
    page = drawn(open_page(path))
    by_doubt = [f"{'train' if at < COUNT - 6 else 'val'}/img {at}" for at in reversed(range(COUNT))]
    assert ids(page) == by_doubt[:24]
    page.click("#gallery-next")
    assert ids(page) == by_doubt[24:]
    page.select_option("#gallery-sort", "best")
    assert ids(page) == by_doubt[::-1][:24]
    page.select_option("#gallery-class", "3")
    assert {*ids(page)} == {one for one in by_doubt if int(one.split()[-1]) % 3 == 0}
    page.select_option("#gallery-split", "val")
    assert {*ids(page)} == {"val/img 24", "val/img 27"}
    page.select_option("#gallery-class", "")
    set_slider(page, "doubt", 0.9)
    assert {*ids(page)} == {"val/img 27", "val/img 28", "val/img 29"}
    page.fill("#gallery-search", "IMG 28")
    assert ids(page) == ["val/img 28"]
    assert "1 of 30 images" in page.inner_text("#gallery-count")
    page.fill("#gallery-search", "nowhere")
    assert ids(page) == []
    assert "None of 30 images" in page.inner_text("#gallery-count")
    drawn(page)


def test_keys_do_what_the_help_says(open_page, path):
    page = drawn(open_page(path))
    page.keyboard.press("?")
    listed = page.inner_text("#gallery-help")
    assert all(word in listed for word in ("layer", "outlines", "threshold", "zoom", "search"))
    page.keyboard.press("Escape")
    assert not page.locator("#gallery-help").is_visible()
    page.keyboard.press("1")
    assert page.is_checked("#gallery-layers input[value=image]")
    page.keyboard.press("b")
    assert page.input_value("#gallery-outline") == "result"
    page.keyboard.press(".")
    assert page.input_value("#gallery-threshold") == "0.31"
    page.keyboard.press(",")
    page.keyboard.press(",")
    assert page.input_value("#gallery-threshold") == "0.29"
    page.keyboard.press("[")
    assert page.input_value("#gallery-opacity") == "0.7"
    page.keyboard.press("n")
    assert len(ids(page)) == 6
    page.keyboard.press("p")
    assert len(ids(page)) == 24
    page.keyboard.press("/")
    page.keyboard.type("img 7")
    assert ids(page) == ["train/img 7"]
    drawn(page)


def test_the_viewer_by_keys_with_zoom(open_page, path):
    page = drawn(open_page(path))
    page.focus(".card >> nth=0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    shown = page.locator("#gallery-enlarged-id")
    assert shown.inner_text() == "val/img 28"
    page.keyboard.press("ArrowRight")
    assert shown.inner_text() == "val/img 27"
    page.keyboard.press("ArrowLeft")
    assert shown.inner_text() == "val/img 28"
    width = "one => one.getBoundingClientRect().width"
    whole = page.eval_on_selector("#gallery-stage canvas", width)
    page.keyboard.press("+")
    assert page.eval_on_selector("#gallery-stage canvas", width) == pytest.approx(1.25 * whole)
    page.keyboard.press("0")
    assert page.eval_on_selector("#gallery-stage canvas", width) == pytest.approx(whole)
    page.click("#gallery-enlarged .choices button:has-text('ground truth')")
    assert page.is_checked("#gallery-layers input[value=ground_truth]")
    page.keyboard.press("Escape")
    assert not shown.is_visible()
    drawn(page)


def test_a_doubtful_image_is_enlarged_by_its_link(open_page, path):
    page = drawn(open_page(path))
    page.fill("#gallery-search", "img 1")
    page.click(".doubtful a:has-text('val/img 29')")
    assert page.locator("#gallery-enlarged-id").inner_text() == "val/img 29"
    drawn(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_window_in_both_schemes(open_page, path, scheme):
    page = drawn(open_page(path, scheme=scheme, width_px=400))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.click(".card >> nth=0")
    box = page.locator("#gallery-enlarged").bounding_box()
    assert box["width"] <= 400
    drawn(page)
