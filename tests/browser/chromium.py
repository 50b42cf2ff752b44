"""A real browser for tests: Chromium without a window, driven over its DevTools protocol."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

PROGRAM = "chromium"
_START_S = 60.0  # machines that run tests may be busy with others
_ANSWER_S = 30.0
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # its own needs a user that is not root; what it opens here is ours
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--password-store=basic",
)
# As browsers come, but for private windows and Debian's, which keep no cookies of other sites.
_PREFERENCES = {"profile": {"block_third_party_cookies": False, "cookie_controls_mode": 0}}


class ScriptError(Exception):
    """An expression threw, or its promise was rejected: what the page would see of it."""


class Page:
    """A page with cookies of its own."""

    def __init__(self, browser: "Browser", context: str) -> None:
        self._browser = browser
        self._context = context
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._session: str = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")
        self._call("Network.enable")

    def open(self, url: str) -> None:
        """Go to `url`, and wait until it has loaded."""
        failure = self._call("Page.navigate", url=url).get("errorText")
        if failure:
            raise ConnectionError(f"{url}: {failure}")
        self._browser.event("Page.loadEventFired", self._session)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript; of a promise, what it comes to. `ScriptError`."""
        done = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if failed := done.get("exceptionDetails"):
            raise ScriptError(failed.get("exception", {}).get("description") or failed["text"])
        return done["result"].get("value")

    def preflight(self) -> str:
        """Where the browser asked for permission before it let the page: it tells so in its own time."""
        while True:
            sent: dict[str, Any] = self._browser.event("Network.requestWillBeSent", self._session)["request"]
            if sent["method"] == "OPTIONS":
                return str(sent["url"])

    def close(self) -> None:
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)


class Browser:
    """A running browser at the other end of a connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._last = 0
        self._events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, /, **params: Any) -> dict[str, Any]:
        """The result of a command; events that come meanwhile are kept."""
        self._last += 1
        asked: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if session is not None:
            asked["sessionId"] = session
        self._connection.send(json.dumps(asked))
        deadline = time.monotonic() + _ANSWER_S
        while (message := self._received(deadline)).get("id") != self._last:
            self._events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        result: dict[str, Any] = message["result"]
        return result

    def event(self, method: str, session: str) -> dict[str, Any]:
        """The parameters of the oldest event of this name that nobody has had; waited for when there is none."""
        deadline = time.monotonic() + _ANSWER_S
        while True:
            for at, one in enumerate(self._events):
                if (one.get("method"), one.get("sessionId")) == (method, session):
                    params: dict[str, Any] = self._events.pop(at)["params"]
                    return params
            self._events.append(self._received(deadline))

    @contextmanager
    def page(self) -> Iterator[Page]:
        page = Page(self, self.call("Target.createBrowserContext")["browserContextId"])
        try:
            yield page
        finally:
            page.close()

    def _received(self, deadline: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(max(0.0, deadline - time.monotonic())))
        return message


@contextmanager
def running(directory: Path) -> Iterator[Browser]:
    """A browser whose profile and output are in `directory`; all its processes are gone afterwards."""
    if shutil.which(PROGRAM) is None:
        assert "CI" not in os.environ, f"continuous integration needs {PROGRAM}: see PACKAGES in the Makefile"
        pytest.skip(f"{PROGRAM} is not installed")
    profile, output = directory / "profile", directory / "chromium.log"
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(_PREFERENCES))
    with ExitStack() as ended:
        log = ended.enter_context(output.open("wb"))
        process = subprocess.Popen(
            [PROGRAM, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(directory)},
            start_new_session=True,
        )
        ended.callback(_end, process)
        address = _address(process, profile / "DevToolsActivePort", output)
        connection = ended.enter_context(connect(address, max_size=None, open_timeout=_ANSWER_S, proxy=None))
        yield Browser(connection)
        with suppress(subprocess.TimeoutExpired):
            connection.send(json.dumps({"id": 0, "method": "Browser.close"}))
            process.wait(10)


def _address(process: subprocess.Popen[bytes], port_file: Path, output: Path) -> str:
    """Where the browser listens: it writes that into its profile, the port first, then the path."""
    deadline = time.monotonic() + _START_S
    while True:
        lines = port_file.read_text().split() if port_file.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the browser did not start:\n{output.read_text(errors='replace')}")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the browser: its processes are of one group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
