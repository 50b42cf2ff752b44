"""Messages between server, agent and templates: JSON and file descriptors over a SOCK_SEQPACKET Unix socket.

The kernel keeps the boundaries of messages, so one receive is one message. Every message is made by Mayfly; nothing
that a user wrote travels here.
"""

from __future__ import annotations

import array
import json
import os
import socket
from typing import Any

MAX_MESSAGE = 1 << 16
MAX_DESCRIPTORS = 64

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
NESTLING = "nestling"
KEPT = "kept"
ROOM = "room"


def send(channel: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """One message. BlockingIOError when a non-blocking socket is full, ConnectionError when the peer is gone."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    channel.sendmsg(
        [json.dumps(message, separators=(",", ":")).encode()], ancillary, getattr(socket, "MSG_NOSIGNAL", 0)
    )


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the descriptors that came with it, which the caller now owns; None when the peer is gone."""
    size = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, flags, _ = channel.recvmsg(MAX_MESSAGE, size, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    descriptors = array.array("i")
    for level, kind, body in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(body[: len(body) - len(body) % descriptors.itemsize])
    if not data:
        return None
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for descriptor in descriptors:
            os.close(descriptor)
        raise OSError("a message was longer than the agreed limit")
    return json.loads(data), list(descriptors)
