"""Bytes of a connection as messages, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side

from mayfly.services.apis.websocket.framing import Framing, Message, accept_of, is_key


class Client:
    """The other end: another side of the same library, which masks what it sends."""

    def __init__(self) -> None:
        self.protocol = Protocol(Side.CLIENT)

    def sends(self, opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
        return Frame(opcode, data, fin).serialize(mask=True)

    def hears(self, data: bytes) -> list[Frame]:
        self.protocol.receive_data(data)
        return [event for event in self.protocol.events_received() if isinstance(event, Frame)]


def closed(framing: Framing) -> Close:
    """What the client is told of the end."""
    data, _ = framing.outgoing()
    [frame] = [frame for frame in Client().hears(data) if frame.opcode is Opcode.CLOSE]
    return Close.parse(frame.data)


def test_the_answer_to_a_key_is_that_of_the_rfc() -> None:
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert is_key("dGhlIHNhbXBsZSBub25jZQ==")
    assert not any(is_key(key) for key in (None, "", "short", "AAAA", "!" * 24))


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.integers(1, 7))
def test_a_message_is_whole_however_it_arrives(parts: list[bytes], step: int) -> None:
    client, framing = Client(), Framing()
    data = b""
    for place, part in enumerate(parts):
        opcode = Opcode.CONT if place else Opcode.BINARY
        data += client.sends(opcode, part, fin=place == len(parts) - 1)
    got = [message for at in range(0, len(data), step) for message in framing.receive(data[at : at + step])]
    assert got == [Message(b"".join(parts), is_text=False)]


@given(st.binary(max_size=400))
def test_any_bytes_are_messages_or_the_end(data: bytes) -> None:
    framing = Framing()
    list(framing.receive(data))
    framing.receive_end()
    assert framing.end[0] >= 1000
    framing.outgoing()
    assert not framing.is_open


def test_a_ping_is_answered_within_a_message() -> None:
    client, framing = Client(), Framing()
    data = client.sends(Opcode.TEXT, b"a", fin=False) + client.sends(Opcode.PING, b"p")
    assert list(framing.receive(data)) == []
    assert [(frame.opcode, bytes(frame.data)) for frame in client.hears(framing.outgoing()[0])] == [(Opcode.PONG, b"p")]
    assert list(framing.receive(client.sends(Opcode.CONT, b"b"))) == [Message(b"ab", is_text=True)]


@pytest.mark.parametrize(
    ("sizes", "code"), [([32 * 1024 + 1], 1009), ([32 * 1024] * 4, None), ([32 * 1024] * 4 + [1], 1009)]
)
def test_frames_and_messages_have_their_sizes(sizes: list[int], code: int | None) -> None:
    client, framing = Client(), Framing()
    got = []
    for place, size in enumerate(sizes):
        opcode = Opcode.CONT if place else Opcode.BINARY
        got += list(framing.receive(client.sends(opcode, b"x" * size, fin=place == len(sizes) - 1)))
    if code is None:
        assert [len(message.data) for message in got] == [sum(sizes)]
    else:
        assert (got, closed(framing).code) == ([], code)


def test_text_that_is_none_ends_the_connection() -> None:
    framing = Framing()
    assert list(framing.receive(Client().sends(Opcode.TEXT, b"\xff"))) == []
    assert closed(framing).code == 1007


def test_an_end_is_what_the_client_said() -> None:
    framing = Framing()
    list(framing.receive(Client().sends(Opcode.CLOSE, Close(4000, "bye").serialize())))
    assert framing.end == (4000, "bye")
    data, last = framing.outgoing()
    assert data
    assert last
    quiet = Framing()
    quiet.receive_end()
    assert quiet.end[0] == 1006
