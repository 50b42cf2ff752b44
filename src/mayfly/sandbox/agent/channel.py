"""Messages between server, agent and templates: JSON and file descriptors over a SOCK_SEQPACKET Unix socket.

The kernel keeps the boundaries of messages, so one receive is one message. Every message is made by Mayfly; nothing
that a user wrote travels here.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from typing import Any

MAX_MESSAGE = 1 << 16
MAX_DESCRIPTORS = 64
# As plain integers: those of enumerations run Python code, whose pages each fork of a template would copy.
_CUT_SHORT = int(socket.MSG_TRUNC) | int(socket.MSG_CTRUNC)
_NO_SIGNAL, _CLOSE_ON_EXEC = int(getattr(socket, "MSG_NOSIGNAL", 0)), int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))

# Names of operations and reports, the field "op" of a message.
PREPARE = "prepare"
START = "start"
GROUP = "group"
KILL = "kill"
CLOSE = "close"
READY = "ready"
PREPARED = "prepared"
STARTED = "started"
FAILED = "failed"
EXITED = "exited"
LIMIT = "limit"
FIT = "fit"
FITTED = "fitted"
DIAL = "dial"
DIALLED = "dialled"
LISTEN = "listen"
LISTENED = "listened"
CLONED = "cloned"
NOT_CLONED = "not cloned"
LISTENING = "listening"
# Of nests (see `nest`), between server and agent, ...
NEST = "nest"
OPEN = "open"
DROP = "drop"
NESTED = "nested"
DROPPED = "dropped"
# ... and below the agent.
HATCH = "hatch"
HEARD = "heard"  # and of containers: their listener came after they had started
NESTLING = "nestling"
KEPT = "kept"
ROOM = "room"
ENTER = "enter"


def send(channel: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """One message. BlockingIOError when a non-blocking socket is full, ConnectionError when the peer is gone."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    channel.sendmsg([json.dumps(message, separators=(",", ":")).encode()], ancillary, _NO_SIGNAL)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the descriptors that came with it, which the caller now owns; None when the peer is gone."""
    data, descriptors, _ = receive_from(channel)
    return (json.loads(data), descriptors) if data else None


def receive_from(channel: socket.socket) -> tuple[bytes, list[int], int]:
    """Like `receive`, but unparsed, and with the sender's process id as the kernel knows it, where SO_PASSCRED is set
    (else 0). No bytes: the peer is gone."""
    numbers, credentials = array.array("i"), struct.Struct("iii")
    size = socket.CMSG_SPACE(MAX_DESCRIPTORS * numbers.itemsize) + socket.CMSG_SPACE(credentials.size)
    data, ancillary, flags, _ = channel.recvmsg(MAX_MESSAGE, size, _CLOSE_ON_EXEC)
    sender = 0
    for level, kind, body in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(body[: len(body) - len(body) % numbers.itemsize])
        elif level == socket.SOL_SOCKET and kind == getattr(socket, "SCM_CREDENTIALS", None):
            sender = credentials.unpack(body[: credentials.size])[0]
    if flags & _CUT_SHORT:
        for descriptor in numbers:
            os.close(descriptor)
        raise OSError("a message was longer than the agreed limit")
    return data, list(numbers), sender
