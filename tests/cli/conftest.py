"""What tests of the command line share: `mayfly build`, and an npm registry of their own."""

import base64
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.cli.esbuild import VERSION, Finder
from mayfly.cli.keeping import Kept
from tests.cli.packages import Build, wheel

PLATFORM = Path(__file__).parents[2] / ".cache" / "platform"


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """`mayfly build` in the application's folder, with the wheels of the test and no others."""
    wheel(tmp_path / "wheels", "greeting", "1.0", {"greeting/__init__.py": "WORD = 'hello'\n"})

    def build(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "mayfly", "build", *arguments],
            cwd=tmp_path / "application",
            env={
                **os.environ,
                "UV_NO_INDEX": "1",
                "UV_FIND_LINKS": str(tmp_path / "wheels"),
                "UV_CACHE_DIR": str(tmp_path / "uv"),
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
                "COLUMNS": "160",
                "NO_COLOR": "1",
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=200,
        )

    return build


@pytest.fixture
def registry() -> Iterator[str]:
    """An npm registry with one package."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in (
            ("package/package.json", '{"name": "greet", "version": "1.0.0", "main": "index.js"}'),
            ("package/index.js", "module.exports = 'hello';\n"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    data = buffer.getvalue()
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"

    class Registry(http.server.BaseHTTPRequestHandler):
        server: http.server.ThreadingHTTPServer

        def do_GET(self) -> None:
            url = f"http://127.0.0.1:{self.server.server_port}/greet/-/greet-1.0.0.tgz"
            version = {"name": "greet", "version": "1.0.0", "dist": {"tarball": url, "integrity": integrity}}
            told: dict[str, Any] = {"name": "greet", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
            body = data if self.path.endswith(".tgz") else json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def esbuild(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with the esbuild that Mayfly fetches: once for all tests, and for the next run of them."""
    finder = Finder(Kept(PLATFORM), PLATFORM / "runtimes", lambda _: None)
    program = tmp_path_factory.mktemp("bin") / "esbuild"
    command = " ".join(f"'{word}'" for word in finder.fetched(VERSION).command)
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"
