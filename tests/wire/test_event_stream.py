"""Event streams of replies, read back by botocore."""

from typing import Any

import botocore.session
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.model import StructureShape
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import StreamBody
from mayfly.wire.event_stream import MAX_PAYLOAD, EventEncoder, message
from mayfly.wire.rest_json import RestJsonCodec

MODEL = botocore.session.get_session().get_service_model("lambda")
OPERATION = MODEL.operation_model("InvokeWithResponseStream")


def read(data: bytes) -> list[tuple[Any, bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(event.headers, event.payload) for event in buffer]


@given(
    st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=4),
    st.binary(max_size=300),
)
def test_messages_are_read_as_they_were_written(headers: dict[str, str], payload: bytes) -> None:
    assert read(message(headers, payload)) == [(headers, payload)]


def test_a_payload_that_no_message_can_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="exceeds"):
        message({}, bytes(MAX_PAYLOAD + 1))


async def test_events_of_an_operation_are_sent_as_they_come() -> None:
    async def events() -> Any:
        yield {"PayloadChunk": {"Payload": b"one"}}
        yield {"InvokeComplete": {"ErrorCode": "Unhandled", "ErrorDetails": "é"}}

    reply = RestJsonCodec(MODEL).serialiser(OPERATION)(
        {"StatusCode": 200, "ExecutedVersion": "$LATEST", "EventStream": events()}, "r"
    )
    assert ("content-type", "application/vnd.amazon.eventstream") in reply.headers
    assert isinstance(reply.body, StreamBody)
    sent = [part async for part in reply.body]
    assert len(sent) == 2
    (chunk, payload), (end, members) = read(b"".join(sent))
    assert (chunk[":event-type"], chunk[":content-type"], payload) == (
        "PayloadChunk",
        "application/octet-stream",
        b"one",
    )
    assert (end[":event-type"], end[":content-type"]) == ("InvokeComplete", "application/json")
    assert members == '{"ErrorCode":"Unhandled","ErrorDetails":"é"}'.encode()


def test_an_event_that_the_model_does_not_have_is_a_mistake() -> None:
    assert isinstance(OPERATION.output_shape, StructureShape)
    shape = OPERATION.output_shape.members["EventStream"]
    assert isinstance(shape, StructureShape)
    encoder = EventEncoder(shape, lambda _: lambda _: b"{}")
    with pytest.raises(KeyError):
        encoder.encode({"Other": {}})
