"""Forms of messages, for whatever is published: what is read out of them is what was put in, and signatures hold."""

import json

from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.topics.messages import Origin, drafted
from mayfly.services.topics.model import Message, Subscription, Topic
from mayfly.services.topics.rendering import Rendering

TOPIC = Topic(1, "000000000000", "us-east-1", "t", 0.0)
FIFO = Topic(2, "000000000000", "us-east-1", "t.fifo", 0.0, fifo=True)
# What XML can carry, which is what SNS takes.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), min_size=1
)
VALUES = st.one_of(
    st.builds(lambda value: {"DataType": "String", "StringValue": value}, TEXT),
    st.builds(lambda value: {"DataType": "Binary", "BinaryValue": value}, st.binary(min_size=1)),
    st.builds(lambda value: {"DataType": "Number", "StringValue": str(value)}, st.integers()),
)
ATTRIBUTES = st.dictionaries(st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True), VALUES, max_size=4)


class Signer:
    """Signs with the text itself."""

    name = "certificate.pem"

    def sign(self, version: str, text: str) -> str:
        return f"{version}:{text}"


def subscription(protocol: str) -> Subscription:
    return Subscription(1, 1, TOPIC.arn, "u", protocol, "e", "000000000000", "http://127.0.0.1:4566", 0.0)


def published(text: str, attributes: dict[str, dict[str, object]]) -> Message:
    return drafted({"Message": text, "MessageAttributes": attributes}, Origin("id", 1_700_000_000.123, "me")).message


@given(TEXT, ATTRIBUTES)
def test_a_document_says_what_was_published_and_so_does_an_event(
    text: str, attributes: dict[str, dict[str, object]]
) -> None:
    message = published(text, attributes)
    rendering = Rendering(TOPIC, message, Signer())
    document = json.loads(rendering.envelope(subscription("sqs")))
    [record] = json.loads(rendering.event(subscription("lambda")))["Records"]
    shown = {one.name: {"Type": one.type, "Value": one.value} for one in message.attributes}
    for told in (document, record["Sns"]):
        assert told["Message"] == text
        assert told.get("MessageAttributes", {}) == shown
        lines = ["Message", text, "MessageId", "id", "Timestamp", "2023-11-14T22:13:20.123Z"]
        lines += ["TopicArn", TOPIC.arn, "Type", "Notification", ""]
        assert told["Signature"] == "1:" + "\n".join(lines)


@given(TEXT)
def test_what_a_fifo_topic_sends_needs_no_signer(text: str) -> None:
    document = json.loads(Rendering(FIFO, published(text, {}), None).envelope(subscription("sqs")))
    assert document["Message"] == text
    assert not any("Sign" in name for name in document)
