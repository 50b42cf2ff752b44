"""A Mayfly of the benchmark's own, and requests for it that are signed once."""

import compileall
import io
import json
import os
import py_compile
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import uv as uv_module
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mayfly.cli.connection import connect


@dataclass(frozen=True)
class Running:
    """A started platform."""

    url: str
    pid: int
    start_s: float  # from the command to the line that says ready
    variables: dict[str, str]
    data: Path

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def client(self, service: str) -> Any:
        """A boto3 client."""
        session: Any = boto3.session.Session()
        return session.client(
            service,
            endpoint_url=self.url,
            region_name=self.variables["AWS_REGION"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
        )

    def page(self, path: str) -> Any:
        """The JSON of one of Mayfly's own pages."""
        return connect(self.data).get(path)

    def invoke_request(self, function: str, payload: bytes = b"{}", kind: str = "RequestResponse") -> bytes:
        """The bytes of one signed Invoke."""
        path = f"/2015-03-31/functions/{function}/invocations"
        said = {"host": self.url[7:]} | ({"X-Amz-Invocation-Type": kind} if kind != "RequestResponse" else {})
        request = AWSRequest("POST", f"{self.url}{path}", data=payload, headers=said)
        credentials = Credentials(self.variables["AWS_ACCESS_KEY_ID"], self.variables["AWS_SECRET_ACCESS_KEY"])
        SigV4Auth(credentials, "lambda", self.variables["AWS_REGION"]).add_auth(request)
        headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        return f"POST {path} HTTP/1.1\r\n{headers}content-length: {len(payload)}\r\n\r\n".encode() + payload

    def url_request(self, function_url: str) -> bytes:
        """The bytes of one GET of a function URL."""
        path = "/" + function_url.split("/", 3)[3]
        return f"GET {path} HTTP/1.1\r\nhost: {self.url[7:]}\r\n\r\n".encode()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(isolation: str, *options: str, runtimes: Path | None = None, kept: Path | None = None) -> Iterator[Running]:
    """Start a platform on a temporary data directory, with more options of `mayfly up`, and stop it. `runtimes`: what
    it has installed; `kept`: the data directory, which is left as it is then."""
    data = Path(tempfile.mkdtemp(prefix="mayfly-bench-")) if kept is None else kept
    if runtimes is not None and runtimes.is_dir():
        (data / "runtimes").symlink_to(runtimes.resolve())
    command, environment = [sys.executable, "-m", "mayfly"], _as_installed()
    try:
        began = time.perf_counter()
        server = subprocess.Popen(
            [*command, "up", "--data", str(data), "--port", "0", "--isolation", isolation, *options],
            stdout=subprocess.PIPE,
            stderr=(data.parent / f"{data.name}.log").open("wb"),
            text=True,
            env=environment,
        )
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            start_s = time.perf_counter() - began
            if " is ready" not in line:
                raise RuntimeError(f"the platform did not start: {line}")
            answer = subprocess.run(
                [*command, "env", "--json", "--data", str(data)], check=True, capture_output=True, text=True
            )
            variables = json.loads(answer.stdout)
            yield Running(variables["AWS_ENDPOINT_URL"], server.pid, start_s, variables, data)
        finally:
            server.terminate()
            server.wait(60)
    finally:
        if kept is None:
            shutil.rmtree(data, ignore_errors=True)
        (data.parent / f"{data.name}.log").unlink(missing_ok=True)


def _as_installed() -> dict[str, str]:
    """The variables of a platform that has been started before: its modules are compiled, and stay so. Compiling them
    at each start takes as long as starting, and leaves 10 MB behind."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    imports = "import mayfly.app.server, mayfly.cli.served, mayfly.cli.handover, mayfly.cli.serving"
    subprocess.run([sys.executable, "-c", imports], check=True, env=environment)
    return environment


def zipped(source: str, name: str = "app.py") -> bytes:
    """A package of one file: the module `app`, if not otherwise named."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, source)
    return buffer.getvalue()


def zipped_with(source: str, *requirements: str) -> bytes:
    """A package with one module, `app`, beside installed distributions; the installer caches what it fetched."""
    uv = uv_module.find_uv_bin()
    with tempfile.TemporaryDirectory() as directory:
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", directory, *requirements]
        subprocess.run(command, check=True)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path in sorted(Path(directory).rglob("*")):
                if path.is_file() and "tests" not in path.parts:
                    archive.write(path, path.relative_to(directory))
            archive.writestr("app.py", source)
        return buffer.getvalue()


def unzipped(package: bytes, into: Path) -> None:
    """The files of a package, compiled as an upload compiles them, for anybody to read."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        archive.extractall(into)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(into, quiet=2, invalidation_mode=mode, workers=2)
    for path in (into, *into.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def make_function(
    platform: Running,
    name: str,
    source: str,
    memory_mb: int = 256,
    package: bytes | None = None,
    runtime: str = f"python{sys.version_info[0]}.{sys.version_info[1]}",
    handler: str = "app.handler",
) -> str:
    """Create a function of one module, or of a package with one, and wait until it can be called; its name."""
    client, iam = platform.client("lambda"), platform.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    try:
        role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName="bench")["Role"]["Arn"]
    client.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=handler,
        Role=role,
        Code=_code(platform, name, package or zipped(source)),
        MemorySize=memory_mb,
        Timeout=30,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return name


def _code(platform: Running, name: str, package: bytes) -> dict[str, Any]:
    """In the request itself, or in a bucket where it is too large for that."""
    if len(package) < 40 << 20:
        return {"ZipFile": package}
    s3 = platform.client("s3")
    s3.create_bucket(Bucket=f"{name}-code")
    s3.put_object(Bucket=f"{name}-code", Key="package.zip", Body=package)
    return {"S3Bucket": f"{name}-code", "S3Key": "package.zip"}


def pss_mb(pid: int) -> float:
    """Proportional set size of one process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no Pss")


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found
