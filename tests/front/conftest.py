"""A real server with two front processes, and ways to see which of them did what."""

import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mayfly.app.workers import MODULE
from mayfly.cli.connection import connect
from tests.conftest import PlatformProcess, start_platform

WORKERS = 2
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def zipped(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


def make_function(platform: PlatformProcess, name: str, source: str, **options: Any) -> str:
    """A function of one module, ready to be called; its name."""
    iam, functions = platform.client("iam"), platform.client("lambda")
    try:
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName="r")["Role"]["Arn"]
    functions.create_function(
        FunctionName=name,
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped(source)},
        **{"Timeout": 30, "MemorySize": 256, **options},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return name


def signed(platform: PlatformProcess, name: str, payload: bytes = b"{}") -> bytes:
    """The bytes of one signed Invoke."""
    path = f"/2015-03-31/functions/{name}/invocations"
    request = AWSRequest("POST", f"{platform.url}{path}", data=payload, headers={"host": platform.url[7:]})
    SigV4Auth(Credentials(platform.access_key_id, platform.secret_access_key), "lambda", platform.region).add_auth(
        request
    )
    headers = "".join(f"{key}: {value}\r\n" for key, value in request.headers.items())
    return f"POST {path} HTTP/1.1\r\n{headers}content-length: {len(payload)}\r\n\r\n".encode() + payload


def workers(platform: PlatformProcess) -> list[dict[str, Any]]:
    """What `mayfly status` says of the fronts."""
    return list(connect(platform.data).get("/_mayfly/status")["workers"])


def await_fronts(platform: PlatformProcess) -> None:
    """Return when every front accepts."""
    deadline = time.monotonic() + 60
    while not all(worker["ready"] for worker in workers(platform)):
        assert time.monotonic() < deadline, "the fronts do not start"


def fronts(platform: PlatformProcess) -> list[int]:
    """The process ids of the fronts that live."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                mine = parent == platform.pid and MODULE in (entry / "cmdline").read_text()
            except OSError:
                continue
            if mine:
                found.append(int(entry.name))
    return sorted(found)


def log_of(platform: PlatformProcess, name: str) -> list[str]:
    """All messages in a function's log."""
    pages = platform.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    return [event["message"] for page in pages for event in page["events"]]


def usage_of(platform: PlatformProcess, name: str) -> int:
    """Requests of a function on the bill."""
    command = [sys.executable, "-m", "mayfly", "usage", "--json", "--data", str(platform.data)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return sum(line["requests"] for line in report["functions"] if line["function"].partition(":")[0] == name)


@dataclass
class Server:
    """One that a test may kill and start again on the same directory."""

    data: Path
    process: Any
    platform: PlatformProcess

    @classmethod
    def start(cls, data: Path, *options: str) -> "Server":
        return cls(data, *start_platform(data, "--workers", str(WORKERS), *options))

    def again(self) -> None:
        self.process, self.platform = start_platform(self.data, "--workers", str(WORKERS))

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(60) == 0, "the server did not end cleanly"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    """One server for the tests of a module."""
    server = Server.start(tmp_path_factory.mktemp("crowd") / "data")
    await_fronts(server.platform)
    yield server.platform
    server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    made = Server.start(tmp_path / "data")
    yield made
    made.stop()
