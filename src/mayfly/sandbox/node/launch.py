"""How a Node.js is started: with which options and variables, by which wrapper. Replaces the process that calls it.

`with_function` knows the function: its INIT frame has come, is looked at, and stays in the socket for the bootstrap.
`ahead` knows none. Both run inside the sandbox, after everything that is privileged was given up.
"""

from __future__ import annotations  # runs on the Pythons of templates too, from 3.9 on

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from mayfly.sandbox import frames
from mayfly.sandbox.python import wrappers

_MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
# What a Node.js that waits for its function was started with: what all functions have until they say otherwise.
USUAL = {
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
}


class Program(NamedTuple):
    """What is started: the executable, and the bootstrap with what it is told."""

    node: str
    bootstrap: tuple[str, ...]


# libuv need not ask for io_uring, which no sandbox has; the bootstrap takes it away again.
_QUIET = {"UV_USE_IO_URING": "0"}
# Whom to trust beside whom Node.js trusts, so that functions can answer the platform over TLS; read when TLS is used.
_TRUST, _TRUSTED = "NODE_EXTRA_CA_CERTS", "/var/runtime/certificates.pem"
CONTROL = 3  # the descriptor that the bootstrap speaks over
# Where sandboxes have them.
NODE, BOOTSTRAP = "/var/lang/bin/node", "/var/runtime/mayfly/bootstrap.cjs"
INSIDE = Program(NODE, (BOOTSTRAP,))


def heap_options(memory_mb: int) -> tuple[str, ...]:
    """How much of an instance's memory JavaScript's objects may take, as AWS divides it: a tenth for young ones, of
    which half is in use, and the rest for old ones."""
    young = memory_mb // 10
    return f"--max-semi-space-size={max(1, young // 2)}", f"--max-old-space-size={memory_mb - young}"


def _trust() -> dict[str, str]:
    return {_TRUST: _TRUSTED} if os.path.exists(_TRUSTED) else {}


def ahead(control: socket.socket, program: Program, memory_mb: int) -> NoReturn:
    """Become a Node.js that waits for INIT."""
    control.setblocking(True)
    os.set_inheritable(control.fileno(), True)
    os.execve(
        program.node, [program.node, *heap_options(memory_mb), *program.bootstrap], {**USUAL, **_QUIET, **_trust()}
    )


def with_function(control: socket.socket, program: Program) -> NoReturn:
    """Wait for INIT, and become a Node.js that has the function's variables from its first moment."""
    environment: dict[str, str] = _peek(control).meta["environment"]
    arguments = list(command(program, environment))
    complaint = wrappers.complaint(environment)
    if complaint is not None:
        text, status = complaint
        sys.stderr.write(text)
        sys.stderr.flush()
        os._exit(status)
    os.set_inheritable(control.fileno(), True)
    os.execve(arguments[0], arguments, {**_QUIET, **_trust(), **environment})


def command(program: Program, environment: Mapping[str, str]) -> Sequence[str]:
    """The command line for a function with these variables."""
    wrapper = environment.get(wrappers.VARIABLE)
    said = environment.get("NODE_OPTIONS", "").replace("_", "-")
    options: tuple[str, ...] = ()
    if "--max-semi-space-size" not in said and "--max-old-space-size" not in said:
        options = heap_options(int(environment.get(_MEMORY, "128")))
    return [*([wrapper] if wrapper else []), program.node, *options, *program.bootstrap]


def _peek(control: socket.socket) -> frames.Frame:
    """The first frame, which is left where it is."""
    control.setblocking(True)
    how = socket.MSG_PEEK | socket.MSG_WAITALL
    header = control.recv(frames.HEADER.size, how)
    if len(header) < frames.HEADER.size:
        os._exit(0)  # the server is gone
    length = frames.HEADER.size + sum(frames.HEADER.unpack(header)[3:])
    data = header
    while len(data) < length:
        data = control.recv(length, how)
        if len(data) < frames.HEADER.size:
            os._exit(0)
    return next(frames.Decoder().feed(data))
