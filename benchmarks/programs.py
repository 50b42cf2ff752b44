"""Warm calls of a program that comes to the Runtime API, beside the same calls of a managed runtime.

The program is as small as one can be in Python: a socket, one connection, no library. So the difference is what two
HTTP exchanges cost, on both sides, beside two frames.
"""

import io
import stat
import zipfile

from benchmarks import load
from benchmarks.platform import Running, make_function
from benchmarks.report import Report, Row
from mayfly.sandbox import interpreters

ROUNDS = 5
SECONDS = 1.0
REPLY = b'{"statusCode": 200, "body": "hello"}'
_HELLO = 'def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n'
_PROGRAM = (
    "#!"
    + str(interpreters.current().path)
    + """ -IS
import os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = socket.create_connection((host, int(port)))
api.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
path = b"/2018-06-01/runtime/invocation/"
body = b'{"statusCode": 200, "body": "hello"}'
def reply():
    data = b""
    while b"\\r\\n\\r\\n" not in data:
        data += api.recv(65536)
    head, _, rest = data.partition(b"\\r\\n\\r\\n")
    left = int(head.lower().partition(b"content-length: ")[2].split(b"\\r\\n")[0]) - len(rest)
    while left > 0:
        left -= len(api.recv(left))
    return head
while True:
    api.sendall(b"GET %bnext HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" % path)
    request = reply().partition(b"Aws-Request-Id: ")[2].split(b"\\r\\n")[0]
    api.sendall(b"POST %b%b/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n%b"
                % (path, request, len(body), body))
    reply()
"""
)


def programs(platform: Running, report: Report) -> None:
    """One call at a time, and sixteen."""
    managed = make_function(platform, "bench-managed", _HELLO, memory_mb=1769)
    program = make_function(
        platform, "bench-program", "", memory_mb=1769, package=_package(), runtime="provided.al2023"
    )
    subjects = {
        name: load.Subject(platform.port, platform.pid, platform.invoke_request(name), REPLY)
        for name in (managed, program)
    }
    single = load.rounds(subjects, 1, ROUNDS, SECONDS)
    many = load.rounds(subjects, 16, ROUNDS, SECONDS)
    one, sixteen, floor_1, floor_16 = single[program], many[program], single[managed], many[managed]
    if one.errors or sixteen.errors:
        raise RuntimeError(f"warm program: {one.errors + sixteen.errors} replies were errors")
    floor = "managed runtime"
    report.add(
        Row("warm program: latency at 1, median", one.p50_ms, "ms", floor_1.p50_ms, floor),
        Row("warm program: processor time of the server, at 1", one.cpu_us, "µs", floor_1.cpu_us, floor),
        Row("warm program: throughput at 16", sixteen.per_second, "/s", floor_16.per_second, floor),
    )


def _package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(info, _PROGRAM)
    return buffer.getvalue()
