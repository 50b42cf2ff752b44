"""Debian's registry on loopback, and what pushes to it."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CONFIGURATION = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
{more}"""
NEEDED = ("skopeo", "docker-registry")


def required(*tools: str) -> None:
    """Skip where tools are not installed, by default all, unless this is continuous integration."""
    missing = [name for name in tools or NEEDED if shutil.which(name) is None]
    if missing and "CI" not in os.environ:
        pytest.skip(f"{' and '.join(missing)} not installed")
    assert not missing, f"continuous integration needs {missing}: see PACKAGES in the Makefile"


class RunningRegistry:
    """A registry that answers at `host`."""

    def __init__(self, host: str) -> None:
        self.host = host

    def push(self, layout: Path, tag: str, name: str, *options: str) -> str:
        """Copy an image out of a layout; how an ImageUri names it."""
        uri = f"{self.host}/{name}"
        subprocess.run(
            ["skopeo", "copy", "-q", "--dest-tls-verify=false", *options, f"oci:{layout}:{tag}", f"docker://{uri}"],
            check=True,
            timeout=60,
        )
        return uri

    def digest(self, uri: str) -> str:
        """What the registry says that it is."""
        asked = ["skopeo", "inspect", "--tls-verify=false", f"docker://{uri}"]
        return str(json.loads(subprocess.run(asked, check=True, capture_output=True, timeout=60).stdout)["Digest"])

    def delete(self, uri: str) -> None:
        subprocess.run(["skopeo", "delete", "--tls-verify=false", f"docker://{uri}"], check=True, timeout=60)


@contextmanager
def running(directory: Path, more: str = "") -> Iterator[RunningRegistry]:
    """A registry that keeps its data in `directory`; `more` is added to its configuration."""
    required()
    directory.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = directory / "configuration.yml"
    configuration.write_text(_CONFIGURATION.format(root=directory / "data", port=port, more=more))
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", str(configuration)], stdout=log, stderr=log)
    try:
        _await(port, server)
        yield RunningRegistry(f"127.0.0.1:{port}")
    finally:
        server.kill()
        server.wait()


def _await(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
        except urllib.error.HTTPError:  # it answers, if only that one has to log in
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("the registry did not start")
