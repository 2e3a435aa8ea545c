"""The fixture that opens pages sees what a browser complains of."""

from pathlib import Path

import pytest

QUIET = "<!doctype html><title>quiet</title><p>text</p>"


def write(folder, body):
    path = folder / "page.html"
    path.write_text(f"{QUIET}{body}", encoding="utf-8")
    return path


def test_a_quiet_page_opens_from_its_file(open_page, tmp_path: Path):
    page = open_page(write(tmp_path, "<script>console.log('fine')</script>"))
    assert page.title() == "quiet"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<script>console.error('broken')</script>", "console error: broken"),
        ("<script>console.warn('doubtful')</script>", "console warning: doubtful"),
        ("<script>nowhere()</script>", "exception: nowhere is not defined"),
        ("<img src=missing.png alt=''>", "request failed: file:"),
        ("<img src=http://127.0.0.1:9/x.png alt=''>", "request that needs a network: http:"),
    ],
)
def test_what_a_page_complains_of_is_seen(open_page, complaints, tmp_path: Path, body, complaint):
    page = open_page(write(tmp_path, body))
    page.wait_for_load_state("load")
    assert any(one.startswith(complaint) for one in complaints), complaints
    complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_reader_prefers_a_scheme(open_page, tmp_path: Path, scheme):
    page = open_page(write(tmp_path, ""), scheme=scheme)
    assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")


def test_the_window_is_as_wide_as_asked_for(open_page, tmp_path: Path):
    page = open_page(
        write(tmp_path, "<meta name=viewport content='width=device-width'>"), width_px=400
    )
    assert page.evaluate("innerWidth") == 400
