"""Messages of the AWS event stream encoding, as replies with `eventstream` members carry them. Pure: values to bytes.

A message is a prelude (its total length, that of its headers, and the CRC-32 of these two), headers, a payload, and the
CRC-32 of all before it; all numbers are big-endian. Headers here are strings only: which event it is, that it is one,
and what its payload is.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from typing import Any

from botocore.model import Shape, StructureShape

CONTENT_TYPE = "application/vnd.amazon.eventstream"
MAX_PAYLOAD = 16 * 1024 * 1024  # of one message

_PRELUDE = struct.Struct("!II")
_CRC = struct.Struct("!I")
_STRING = 7

WriteMembers = Callable[[Mapping[str, Any]], bytes]


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message; ValueError when the payload is larger than a message may carry."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload of {len(payload)} bytes exceeds {MAX_PAYLOAD}")
    block = b"".join(_header(name, value) for name, value in headers.items())
    prelude = _PRELUDE.pack(_PRELUDE.size + 2 * _CRC.size + len(block) + len(payload), len(block))
    checked = prelude + _CRC.pack(zlib.crc32(prelude)) + block + payload
    return checked + _CRC.pack(zlib.crc32(checked))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack(f"!B{len(key)}sBH", len(key), key, _STRING, len(text)) + text


class EventEncoder:
    """Events of one event stream shape: `{"PayloadChunk": {"Payload": b"…"}}` to a message."""

    def __init__(
        self, shape: StructureShape, write: Callable[[Shape], WriteMembers], content_type: str = "application/json"
    ) -> None:
        """`write` makes the serialiser of a structure in the service's own format, which `content_type` names."""
        self._events: dict[str, tuple[str | None, str, WriteMembers | None]] = {}
        for name, member in shape.members.items():
            assert isinstance(member, StructureShape)
            payload = next((key for key, one in member.members.items() if one.serialization.get("eventpayload")), None)
            blob = payload is not None and member.members[payload].type_name == "blob"
            if payload is not None and not blob:
                raise NotImplementedError(f"the payload of {name} is no blob")
            kind = "application/octet-stream" if blob else content_type
            self._events[name] = (payload, kind, None if blob else write(member))

    async def stream(self, events: AsyncIterable[Mapping[str, Mapping[str, Any]]]) -> AsyncIterator[bytes]:
        """The messages of `events`, as they come."""
        async for event in events:
            yield self.encode(event)

    def encode(self, event: Mapping[str, Mapping[str, Any]]) -> bytes:
        """The message of one event; KeyError when the shape has no such event."""
        ((name, members),) = event.items()
        payload, kind, write = self._events[name]
        headers = {":event-type": name, ":content-type": kind, ":message-type": "event"}
        body = members.get(payload, b"") if payload is not None else write(members) if write is not None else b""
        return message(headers, body)
