"""RFC 6455 for one connection: bytes in, messages out, and back; sizes as API Gateway bounds them.

Sans-IO. The frames are those of the library `websockets`; here they become whole messages, and everything that ends a
connection becomes one code and one reason.
"""

import base64
import codecs
import hashlib
import logging
from collections.abc import Iterator

from msgspec import Struct
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from mayfly.services.apis.websocket.limits import ABNORMAL, FRAME_BYTES, MESSAGE_BYTES, NO_STATUS

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # that each connection has ended is no news
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Message(Struct, frozen=True):
    """What a client sent."""

    data: bytes
    is_text: bool


def accept_of(key: str) -> str:
    """What a server answers to `Sec-WebSocket-Key` (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()


def is_key(key: str | None) -> bool:
    """Whether a header `Sec-WebSocket-Key` is one: sixteen bytes in Base64."""
    if key is None:
        return False
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


class Framing:
    """One connection that is open, seen from the server."""

    __slots__ = ("_opcode", "_parts", "_protocol")

    def __init__(self) -> None:
        self._protocol = Protocol(Side.SERVER, max_size=(MESSAGE_BYTES, FRAME_BYTES), logger=_log)
        self._opcode: Opcode | None = None  # of the message that is arriving
        self._parts: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether messages may still be sent."""
        return self._protocol.state is State.OPEN

    @property
    def end(self) -> tuple[int, str]:
        """With which code and reason it ended: what the client said, else what it was told."""
        said = self._protocol.close_rcvd or self._protocol.close_sent
        if said is None:
            return ABNORMAL, "Connection closed abnormally"
        return said.code or NO_STATUS, said.reason

    def receive(self, data: bytes) -> Iterator[Message]:
        """Messages that are whole with `data`, the bytes that came."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and (message := self._arrived(event)) is not None:
                yield message

    def _arrived(self, frame: Frame) -> Message | None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._opcode, self._parts = frame.opcode, []
        elif frame.opcode is not Opcode.CONT or self._opcode is None:
            return None  # pings are answered already
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        data, is_text = b"".join(self._parts), self._opcode is Opcode.TEXT
        self._opcode, self._parts = None, []
        if is_text:
            try:
                codecs.utf_8_decode(data, "strict", True)
            except UnicodeDecodeError:
                self._protocol.fail(1007, "invalid UTF-8")
                return None
        return Message(data, is_text)

    def receive_end(self) -> None:
        """The client is gone, or says no more."""
        self._protocol.receive_eof()

    def send(self, data: bytes, *, is_text: bool) -> None:
        """A message to the client."""
        (self._protocol.send_text if is_text else self._protocol.send_binary)(data)

    def close(self, code: int, reason: str = "") -> None:
        """Begin to end the connection, unless that has begun."""
        if self.is_open:
            self._protocol.send_close(code, reason)

    def outgoing(self) -> tuple[bytes, bool]:
        """What is to be written now, and whether nothing follows."""
        pieces = self._protocol.data_to_send()
        return b"".join(pieces), b"" in pieces
