"""From a save to the first answer of the new code, with `mayfly dev`, beside a deployment of the same change.

The change is one line of one file. The clock starts when the file is written and stops with the first answer that has
the new line; calls are made one after the other all the while, as by somebody who cannot wait.
"""

import http.client
import io
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.platform import Running
from benchmarks.report import Report, Row

ROUNDS, PAUSE_S = 25, 0.8  # between two saves, as of somebody who types
MANY = 5000  # files of dependencies
RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_PYTHON = 'MARK = "{mark}"\ndef handler(event, context):\n    return MARK\n'
_NODE = 'const MARK = "{mark}";\nexports.handler = async () => MARK;\n'
_TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Swapped:
    Type: AWS::Serverless::Function
    Properties: {{FunctionName: {name}, Runtime: {runtime}, Handler: app.handler, CodeUri: src, MemorySize: 512}}
"""


def swaps(platform: Running, report: Report) -> None:
    """A function of one file; one with thousands of files beside it; one of Node.js."""
    for name, what, runtime, source, others in (
        ("bench-swap", "one file", RUNTIME, _PYTHON, 0),
        ("bench-swap-many", f"{MANY} files", RUNTIME, _PYTHON, MANY),
        ("bench-swap-node", "Node.js", "nodejs22.x", _NODE, 0),
    ):
        with tempfile.TemporaryDirectory(prefix="mayfly-bench-swap-") as directory:
            folder = Path(directory)
            file = _application(folder, name, runtime, source, others)
            with _developed(platform, folder):
                took = _rounds(platform, name, lambda mark, s=source, f=file: f.write_text(s.format(mark=mark)))
            deployed = _rounds(
                platform, name, lambda mark, s=source, f=folder, n=name: _deploy(platform, n, f, s, mark), 5
            )
        floor = statistics.median(deployed)
        report.add(
            Row(f"swap, {what}: save to new code, p50", statistics.median(took), "ms", floor, "UpdateFunctionCode"),
            Row(f"swap, {what}: save to new code, p90", sorted(took)[len(took) * 9 // 10], "ms"),
        )


def _application(folder: Path, name: str, runtime: str, source: str, others: int) -> Path:
    (folder / "src").mkdir()
    (folder / "template.yaml").write_text(_TEMPLATE.format(name=name, runtime=runtime))
    for number in range(others):
        place = folder / "src" / f"package{number % 50}"
        place.mkdir(exist_ok=True)
        (place / f"module{number}.py").write_text(f"NUMBER = {number}\n")
    file = folder / "src" / ("app.js" if runtime.startswith("node") else "app.py")
    file.write_text(source.format(mark="first"))
    return file


@contextmanager
def _developed(platform: Running, folder: Path) -> Iterator[None]:
    """`mayfly dev` runs."""
    command = [sys.executable, "-m", "mayfly", "dev", str(folder), "--data", str(platform.data)]
    with (folder / "dev.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={**os.environ, "NO_COLOR": "1"})
    try:
        deadline = time.monotonic() + 60
        while b"watching" not in (said := (folder / "dev.log").read_bytes()):
            if running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mayfly dev did not begin:\n{said.decode()}")
            time.sleep(0.05)
        time.sleep(1.0)  # the copy of the first tree is made ahead meanwhile, as with anybody who types
        yield
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)


def _rounds(platform: Running, name: str, change: Callable[[str], object], count: int = ROUNDS) -> list[float]:
    """Milliseconds from a change to its first answer."""
    request = platform.invoke_request(name)
    head, _, body = request.partition(b"\r\n\r\n")
    path = head.split(b" ")[1].decode()
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=30)
    took = []
    for number in range(count):
        mark = f"{name}-{time.monotonic_ns()}-{number}"
        began = time.perf_counter()
        change(mark)
        answer = b""
        while mark.encode() not in answer:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse().read()
            if time.perf_counter() - began > 30:
                raise RuntimeError(f"{name} still answers {answer!r}")
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE_S)
    connection.close()
    return took


def _deploy(platform: Running, name: str, folder: Path, source: str, mark: str) -> None:
    """What the change costs without: a package of everything is made and sent."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted((folder / "src").rglob("*")):
            if path.is_file():
                own = path.name in ("app.py", "app.js")
                archive.writestr(str(path.relative_to(folder / "src")), source.format(mark=mark) if own else "x = 1\n")
    platform.client("lambda").update_function_code(FunctionName=name, ZipFile=buffer.getvalue())
