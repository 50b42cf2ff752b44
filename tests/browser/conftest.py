"""Fixtures of tests with a browser: the browser, pages, and servers of pages that no API is served from."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.chromium import Browser, Page, running


class _Handler(BaseHTTPRequestHandler):
    """An empty page, wherever one asks."""

    def do_GET(self) -> None:
        content = b"<!doctype html><title>A page</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _served() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where a page is served that APIs let in."""
    with _served() as url:
        yield url


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """Where a page is served that they do not."""
    with _served() as url:
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, origin: str) -> Iterator[Page]:
    """A page of the origin that APIs let in, without cookies yet."""
    with browser.page() as page:
        page.open(origin)
        yield page


@pytest.fixture
def strange_page(browser: Browser, stranger: str) -> Iterator[Page]:
    with browser.page() as page:
        page.open(stranger)
        yield page
