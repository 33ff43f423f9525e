"""A browser, servers on free ports, and pages that are watched: a page may raise no error and break no policy."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "view")]

NAMES = ("chromium", "chromium-browser", "google-chrome")
WATCH = """
window.broken = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.broken.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium. Of a module, not of the session: its event loop stands in the way of asyncio elsewhere."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail(
            f"no {', '.join(NAMES)} on the PATH: run .ci/chromium, or `sudo apt install chromium`", pytrace=False
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Watched:
    """Pages, and what went wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._pages: list[Page] = []
        self.wrong: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Parts of console messages that a test brings about, such as a request that is refused."""

    def page(self, url: str, **options: Any) -> Page:
        page = self._browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
        page.set_default_timeout(20_000)
        page.add_init_script(WATCH)
        page.on("console", lambda message: self._note(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._note(f"error: {error}"))
        page.on("dialog", lambda dialog: (self._note(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if _local(request.url) else self._note(f"request: {request.url}"))
        page.goto(url)
        self._pages.append(page)
        return page

    def _note(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.wrong.append(text)

    def check(self) -> None:
        """Raises where a page logged an error, broke the content security policy, or ran what it was shown."""
        for page in self._pages:
            self.wrong += page.evaluate("window.broken")
            if page.evaluate("'pwned' in window || document.getElementById('pwned') !== null"):
                self.wrong.append(f"what was shown has run, or become an element: {page.url}")
        assert self.wrong == []


def _local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:image/", "blob:http://127.0.0.1:"))


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    watched = Watched(browser)
    yield watched
    try:
        watched.check()
    finally:
        for page in watched._pages:
            page.context.close()


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Any], str]]:
    """serve(app) -> the address at which a Starlette application answers until the module is done."""
    import uvicorn

    servers: list[tuple[Any, threading.Thread]] = []

    def start(app: Any) -> str:
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(10)
