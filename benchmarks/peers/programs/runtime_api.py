"""The least there can be around `awslambdaric`: an HTTP front and the Runtime API; `runtime_api.py PORT`.

`POST /MODULE-ROLE` calls the function of that name and module, here in the working directory. A call takes an
idle process of the function, or starts one; a process serves one call at a time and stays. Nothing is isolated,
checked, logged, metered, limited or timed out.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import deque
from functools import partial
from itertools import count
from typing import cast

import httptools
import uvloop

_REQUEST_IDS = count(1)
_DEADLINE_MS = 4_102_444_800_000  # far away


class Connection(asyncio.Protocol):
    """One HTTP connection, a request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._body = b"", b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.handle(self._url, self._body)

    def handle(self, url: bytes, body: bytes) -> None:
        raise NotImplementedError

    def reply(self, status: bytes, body: bytes, headers: bytes = b"") -> None:
        head = b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n" % (status, headers, len(body))
        if not self._transport.is_closing():
            self._transport.write(head + body)


class Function:
    """The idle processes of one function, and the calls that wait for one."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._idle: list[RuntimeConnection] = []
        self._waiting: deque[tuple[Call, bytes]] = deque()
        self.running: dict[bytes, Call] = {}

    async def listen(self) -> None:
        server = await asyncio.get_running_loop().create_server(partial(RuntimeConnection, self), "127.0.0.1", 0)
        self._address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def call(self, call: "Call", event: bytes) -> None:
        if self._idle:
            self._idle.pop().give(call, event)
        else:
            self._waiting.append((call, event))
            self._start()

    def idle(self, runtime: "RuntimeConnection") -> None:
        if self._waiting:
            runtime.give(*self._waiting.popleft())
        else:
            self._idle.append(runtime)

    def lost(self, runtime: "RuntimeConnection") -> None:
        if runtime in self._idle:
            self._idle.remove(runtime)
        _reap()

    def _start(self) -> None:
        variables = {
            **os.environ,
            "AWS_LAMBDA_RUNTIME_API": self._address,
            "AWS_LAMBDA_FUNCTION_NAME": self._module,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "none",
            "AWS_LAMBDA_LOG_STREAM_NAME": "none",
            "AWS_REGION": "us-east-1",
            "LAMBDA_TASK_ROOT": os.getcwd(),
        }
        subprocess.Popen([sys.executable, "-m", "awslambdaric", f"{self._module}.handler"], env=variables)


class RuntimeConnection(Connection):
    """The Runtime API, to one process."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function

    def handle(self, url: bytes, body: bytes) -> None:
        if url == b"/2018-06-01/runtime/invocation/next":
            self._function.idle(self)
            return
        _, _, _, _, request_id, what = url.split(b"/")
        call = self._function.running.pop(request_id)
        call.reply(b"200 OK" if what == b"response" else b"500 Internal Server Error", body)
        self.reply(b"202 Accepted", b"")

    def give(self, call: "Call", event: bytes) -> None:
        request_id = b"%08x-0000-4000-8000-000000000000" % next(_REQUEST_IDS)
        self._function.running[request_id] = call
        headers = (
            b"content-type: application/json\r\nlambda-runtime-aws-request-id: %b\r\nlambda-runtime-deadline-ms: %d\r\n"
            b"lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:peer\r\n"
        )
        self.reply(b"200 OK", event, headers % (request_id, _DEADLINE_MS))

    def connection_lost(self, exc: Exception | None) -> None:
        self._function.lost(self)


class Call(Connection):
    """The front, to one client."""

    def __init__(self, functions: dict[bytes, Function]) -> None:
        super().__init__()
        self._functions = functions

    def handle(self, url: bytes, body: bytes) -> None:
        if (function := self._functions.get(url[1:])) is None:
            self.reply(b"404 Not Found", b"")
        else:
            function.call(self, body)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


async def main() -> None:
    functions: dict[bytes, Function] = {}
    for module in ("function_hello", "function_pandas"):
        for role in ("warm", "cold", "many"):
            function = functions[f"{module}-{role}".encode()] = Function(module)
            await function.listen()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Call, functions), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


uvloop.run(main())
