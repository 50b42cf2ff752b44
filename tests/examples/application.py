"""An example, deployed by the command line as its README says, and gone afterwards."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import PlatformProcess

EXAMPLES = Path(__file__).parents[2] / "examples"


def mayfly(platform: PlatformProcess, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on the platform."""
    return subprocess.run(
        [sys.executable, "-m", "mayfly", *arguments, "--data", str(platform.data)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
    )


def told(platform: PlatformProcess, *arguments: str) -> Any:
    """What a command says as JSON."""
    done = mayfly(platform, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def deployed(platform: PlatformProcess, example: str, stack: str, *options: str) -> Iterator[dict[str, str]]:
    """The outputs of an example that is there while inside."""
    template = str(EXAMPLES / example / "template.yaml")
    try:
        outputs: dict[str, str] = told(platform, "deploy", template, "--stack-name", stack, *options)["Outputs"]
        yield outputs
    finally:
        gone = mayfly(platform, "destroy", stack, "--yes", "--empty")
    assert gone.returncode == 0, gone.stderr


def awaited(look: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """What `look` finds, once it finds anything."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.1)
    return found


def environment(platform: PlatformProcess) -> dict[str, str]:
    """The variables that `mayfly env` prints, for programs that use an SDK."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
        "AWS_REGION": platform.region,
        "AWS_DEFAULT_REGION": platform.region,
        "MAYFLY_DATA": str(platform.data),
    }


def fetch(url: str) -> bytes:
    """What is at a URL."""
    with urllib.request.urlopen(url, timeout=60) as reply:
        body: bytes = reply.read()
    return body
