"""The installed browser, for tests of pages; nothing is downloaded."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # it asks Google for updates in spite of the others
]


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """Start the browser, and close it at the end."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "these tests need a browser: on Debian, apt install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def recorded_messages(page: Page) -> list[str]:
    """Return a list that gets the text of every console message of the page from now on."""
    texts: list[str] = []
    page.on("console", lambda message: texts.append(message.text))
    return texts


def recorded_requests(page: Page) -> list[str]:
    """Return a list that gets the URL of every request of the page from now on."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    return urls
