"""Pages opened in the system's Chromium: offline, and failing on anything it complains of."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    PageOpener = Callable[..., Page]

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
LOCAL = ("file:", "data:", "blob:", "about:")
"""How addresses begin that take no network."""


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """The system's Chromium, headless and with an empty profile.

    One a file, since Playwright leaves its event loop running between calls: no test of another
    file that ran meanwhile could start one of its own.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed", exc_type=ImportError
    )
    found = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if found is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=found, headless=True, args=[*FLAGS])
        yield chromium
        chromium.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser has complained of in this test; clear it where that is expected."""
    return []


@pytest.fixture
def open_page(browser: "Browser", complaints: list[str]) -> "Iterator[PageOpener]":
    """Open a local file as a page of Playwright; the test fails on what the browser complains of.

    That is: errors and warnings in the console, exceptions that no script caught, requests that
    failed, and requests that need a network, which there is none of.
    """
    contexts: list[BrowserContext] = []

    def watch(page: "Page") -> None:
        page.on("console", lambda message: complain(message.type, message.text))
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        page.on("requestfailed", lambda asked: complaints.append(f"request failed: {asked.url}"))
        page.on("request", lambda asked: needs_network(asked.url))

    def complain(kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            complaints.append(f"console {kind}: {text}")

    def needs_network(url: str) -> None:
        if not url.startswith(LOCAL):
            complaints.append(f"request that needs a network: {url}")

    def open_(
        path: Path,
        *,
        scheme: Literal["light", "dark"] = "light",
        width_px: int = 1200,
        height_px: int = 900,
    ) -> "Page":
        """Open it, in a profile of its own.

        Args:
            path: of an HTML file.
            scheme: what the page is told the reader prefers.
            width_px: of the window.
            height_px: of the window.
        """
        context = browser.new_context(
            offline=True,
            color_scheme=scheme,
            reduced_motion="reduce",
            viewport={"width": width_px, "height": height_px},
        )
        contexts.append(context)
        page = context.new_page()
        watch(page)
        page.goto(path.resolve().as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)
