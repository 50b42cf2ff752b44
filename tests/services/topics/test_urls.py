"""Subscriptions of URLs: the handshake, what is delivered and how, retries, pace, neighbours that are not held up."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mayfly.outgoing.api import OutgoingError, Request
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError, StreamBody
from tests.services.topics.conftest import World, queue, running

URL = "https://receiver.example/hook?a=b"
DEAD = queue("dead")


async def no_bytes() -> AsyncIterator[bytes]:
    for part in list[bytes]():
        yield part


async def visit(world: World, url: str, method: str = "GET") -> HttpResponse:
    parts = urlsplit(url)
    assert parts.netloc == "127.0.0.1:4566"
    return await world.service.pages.handle(
        HttpRequest(method, parts.path, parts.query, [], StreamBody(no_bytes(), 0), parts.netloc, "::1", "r")
    )


def document(request: Request) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(request.body)
    return parsed


async def confirmed(world: World, topic: str, url: str = URL, **attributes: str) -> str:
    """Subscribe a URL, answer its handshake, and forget that."""
    arn = await world.subscribe(topic, "https" if url.startswith("https") else "http", url, **attributes)
    [asked] = await world.outside.until(1, url)
    assert (await visit(world, document(asked)["SubscribeURL"])).status == 200
    world.outside.sent.clear()
    return arn


async def publish(world: World, topic: str, message: str = "hello", **more: Any) -> Any:
    return await world.call("Publish", TopicArn=topic, Message=message, **more)


async def quiet(world: World) -> None:
    """Return when no delivery waits."""
    async with asyncio.timeout(20):
        while await world.store.read(lambda reader: reader.one("SELECT 1 FROM topics_lane")):
            await world.store.write(lambda tx: None)


async def test_a_url_is_asked_before_it_gets_anything(world: World) -> None:
    topic = await world.topic()
    reply = await world.call("Subscribe", TopicArn=topic, Protocol="https", Endpoint=URL)
    assert reply["SubscriptionArn"] == "pending confirmation"
    [listed] = (await world.call("ListSubscriptions"))["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    [asked] = await world.outside.until(1)
    said = dict(asked.headers)
    assert (asked.method, asked.url) == ("POST", URL)
    assert said["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert said["x-amz-sns-topic-arn"] == topic
    assert said["Content-Type"] == "text/plain; charset=UTF-8"
    assert said["User-Agent"] == "Amazon Simple Notification Service Agent"
    told = document(asked)
    assert list(told) == [
        "Type",
        "MessageId",
        "Token",
        "TopicArn",
        "Message",
        "SubscribeURL",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
    ]
    await publish(world, topic, "before")
    reply = await world.call("ConfirmSubscription", TopicArn=topic, Token=told["Token"])
    assert reply["SubscriptionArn"].startswith(f"{topic}:")
    assert (await world.call("ConfirmSubscription", TopicArn=topic, Token=told["Token"])) == reply
    attributes = (await world.call("GetSubscriptionAttributes", SubscriptionArn=reply["SubscriptionArn"]))["Attributes"]
    assert (attributes["PendingConfirmation"], attributes["ConfirmationWasAuthenticated"]) == ("false", "true")
    await publish(world, topic, "after")
    sent = await world.outside.until(2)
    assert document(sent[1])["Message"] == "after"


@pytest.mark.parametrize("token", ["", "x", "0" * 224])
async def test_a_token_that_is_not_the_one_sent_confirms_nothing(world: World, token: str) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "https", URL)
    [asked] = await world.outside.until(1)
    right = document(asked)["Token"]
    for wrong in (token, right[:-1] + ("0" if right[-1] != "0" else "1")):
        with pytest.raises(ServiceError, match="Token"):
            await world.call("ConfirmSubscription", TopicArn=topic, Token=wrong)


async def test_a_subscription_that_nobody_confirms_is_given_up_after_two_days(world: World) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "https", URL)
    [asked] = await world.outside.until(1)
    world.clock.advance(2 * 24 * 3600)
    with pytest.raises(ServiceError, match="Token"):
        await world.call("ConfirmSubscription", TopicArn=topic, Token=document(asked)["Token"])
    await world.service.housekeeping.once()
    assert (await world.call("ListSubscriptions"))["Subscriptions"] == []


async def test_subscribing_again_asks_again(world: World) -> None:
    topic = await world.topic()
    first = await world.subscribe(topic, "https", URL)
    assert await world.subscribe(topic, "https", URL) == first
    sent = await world.outside.until(2)
    assert document(sent[0])["Token"] == document(sent[1])["Token"]


async def test_a_message_carries_its_headers(world: World) -> None:
    topic = await world.topic()
    arn = await confirmed(world, topic)
    told = await publish(world, topic)
    [sent] = await world.outside.until(1)
    said = dict(sent.headers)
    assert said["x-amz-sns-message-type"] == "Notification"
    assert said["x-amz-sns-message-id"] == told["MessageId"]
    assert said["x-amz-sns-subscription-arn"] == arn
    assert "x-amz-sns-rawdelivery" not in said
    assert sent.timeout_s == 15


async def test_a_url_may_have_it_raw_and_of_another_type(world: World) -> None:
    topic = await world.topic()
    policy = {"requestPolicy": {"headerContentType": "application/json"}}
    await confirmed(world, topic, RawMessageDelivery="true", DeliveryPolicy=json.dumps(policy))
    await publish(world, topic, '{"a": 1}')
    [sent] = await world.outside.until(1)
    said = dict(sent.headers)
    assert (said["x-amz-sns-rawdelivery"], said["Content-Type"]) == ("true", "application/json")
    assert sent.body == b'{"a": 1}'


def verify(certificate: bytes, told: dict[str, str]) -> None:
    """The check of a message that AWS's documentation describes, on another library's terms."""
    names = ["Message", "MessageId"]
    if told["Type"] == "Notification":
        names += ["Subject"] if "Subject" in told else []
        names += ["Timestamp", "TopicArn", "Type"]
    else:
        names += ["SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{told[name]}\n" for name in names)
    key = x509.load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    digest = hashes.SHA1() if told["SignatureVersion"] == "1" else hashes.SHA256()
    key.verify(base64.b64decode(told["Signature"]), text.encode(), padding.PKCS1v15(), digest)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_everything_that_is_sent_is_signed_with_the_certificate_that_it_names(world: World, version: str) -> None:
    topic = await world.topic(SignatureVersion=version)
    arn = await world.subscribe(topic, "https", URL)
    [asked] = await world.outside.until(1)
    await visit(world, document(asked)["SubscribeURL"])
    await publish(world, topic, "with", Subject="a subject")
    await publish(world, topic, json.dumps({"default": "d", "https": "own"}), MessageStructure="json")
    await world.outside.until(3)
    await world.call("Unsubscribe", SubscriptionArn=arn)
    sent = [document(one) for one in await world.outside.until(4)]
    assert {one["Type"] for one in sent} == {"SubscriptionConfirmation", "Notification", "UnsubscribeConfirmation"}
    for told in sent:
        assert told["SignatureVersion"] == version
        page = await visit(world, told["SigningCertURL"])
        assert isinstance(page.body, bytes)
        verify(page.body, told)


async def test_the_certificate_outlasts_a_restart(world: World) -> None:
    topic = await world.topic()
    await world.subscribe(topic, "https", URL)
    [asked] = await world.outside.until(1)
    before = await visit(world, document(asked)["SigningCertURL"])
    world.service = world.made()
    assert (await visit(world, document(asked)["SigningCertURL"])).body == before.body
    assert (await visit(world, document(asked)["SigningCertURL"].replace(".pem", "0.pem"))).status == 404


async def test_who_is_sent_a_message_may_end_the_subscription_and_have_it_back(world: World) -> None:
    topic = await world.topic()
    arn = await confirmed(world, topic)
    await publish(world, topic)
    [sent] = await world.outside.until(1)
    await quiet(world)
    assert (await visit(world, document(sent)["UnsubscribeURL"])).status == 200
    farewell = (await world.outside.until(2))[1]
    told = document(farewell)
    assert dict(farewell.headers)["x-amz-sns-message-type"] == told["Type"] == "UnsubscribeConfirmation"
    assert (await world.call("ListSubscriptions"))["Subscriptions"] == []
    await publish(world, topic, "to nobody")
    assert (await visit(world, told["SubscribeURL"])).status == 200
    [back] = (await world.call("ListSubscriptions"))["Subscriptions"]
    assert back["SubscriptionArn"] == arn
    await publish(world, topic, "again")
    assert document((await world.outside.until(3))[2])["Message"] == "again"
    assert (await world.call("GetTopicAttributes", TopicArn=topic))["Attributes"]["SubscriptionsDeleted"] == "1"


async def test_a_subscription_may_say_that_only_a_signed_request_ends_it(world: World) -> None:
    topic = await world.topic()
    arn = await world.subscribe(topic, "https", URL)
    [asked] = await world.outside.until(1)
    token = document(asked)["Token"]
    await world.call("ConfirmSubscription", TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    page = await visit(world, f"http://127.0.0.1:4566/_mayfly/topics/?Action=Unsubscribe&SubscriptionArn={arn}")
    assert page.status == 403
    await world.call("Unsubscribe", SubscriptionArn=arn)
    assert (await world.call("ListSubscriptions"))["Subscriptions"] == []


@pytest.mark.parametrize("query", ["", "?Action=Publish&TopicArn=x&Message=y", "?Action=DeleteTopic"])
async def test_nothing_else_is_done_without_a_signature(world: World, query: str) -> None:
    assert (await visit(world, f"http://127.0.0.1:4566/_mayfly/topics/{query}")).status == 400


async def test_what_fails_is_tried_again_by_its_policy_and_then_given_up(world: World) -> None:
    topic = await world.topic()
    policy = {"healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 1, "minDelayTarget": 5, "maxDelayTarget": 9}}
    redrive = {"deadLetterTargetArn": DEAD}
    await confirmed(world, topic, DeliveryPolicy=json.dumps(policy), RedrivePolicy=json.dumps(redrive))
    world.outside.answers[URL] = [500, OutgoingError("timeout", "slow"), 429, 503]
    await publish(world, topic, "precious")
    await world.outside.until(2)
    for count, delay in ((3, 5), (4, 9)):
        await settled(world)
        await world.later(delay - 0.5)
        await settled(world)
        assert len(world.outside.sent) == count - 1
        await world.later(0.5)
        await world.outside.until(count)
    await quiet(world)
    assert await world.messages(DEAD) == ["precious"]
    assert len({dict(one.headers)["x-amz-sns-message-id"] for one in world.outside.sent}) == 1


async def settled(world: World) -> None:
    """Return when all that can be done now is done: nothing of the lane is leased."""

    def leased(reader: Any) -> Any:
        return reader.one("SELECT 1 FROM queue_items WHERE leased = 1 OR due_at <= :now", {"now": world.clock.now()})

    async with asyncio.timeout(20):
        while await world.store.read(leased):
            await world.store.write(lambda tx: None)


@pytest.mark.parametrize("answer", [400, 404, 301, OutgoingError("refused", "not there")])
async def test_what_cannot_be_mended_is_not_tried_again(world: World, answer: int | OutgoingError) -> None:
    topic = await world.topic()
    await confirmed(world, topic, RedrivePolicy=json.dumps({"deadLetterTargetArn": DEAD}))
    world.outside.answers[URL] = [answer]
    await publish(world, topic, "precious")
    await quiet(world)
    assert len(world.outside.sent) == 1
    assert await world.messages(DEAD) == ["precious"]


async def test_what_is_lost_for_good_is_in_the_servers_log_with_the_reason(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    topic, local = await world.topic(), "http://127.0.0.1:9/"
    world.outside.answers[local] = [OutgoingError("refused", "the operator does not allow it")]
    await world.call("Subscribe", TopicArn=topic, Protocol="http", Endpoint=local)
    await quiet(world)
    assert f"SubscriptionConfirmation for {local} is lost after 1 attempts" in caplog.text
    assert "the operator does not allow it" in caplog.text
    caplog.clear()
    await confirmed(world, topic)
    world.outside.answers[URL] = [404]
    await publish(world, topic, "secret")
    await quiet(world)
    assert f"a message for {URL.partition('?')[0]} is lost after 1 attempts: 404" in caplog.text
    assert "secret" not in caplog.text


async def test_an_endpoint_that_does_not_answer_holds_up_nobody_else_and_has_few_requests(world: World) -> None:
    topic = await world.topic()
    slow, quick = "https://slow.example/", "https://quick.example/"
    await confirmed(world, topic, slow)
    await confirmed(world, topic, quick)
    world.outside.held[slow] = asyncio.Event()
    for number in range(40):
        await publish(world, topic, str(number))
    await world.outside.until(40, quick)
    assert world.outside.most_under_way[slow] <= 8
    world.outside.held[slow].set()
    await world.outside.until(40, slow)
    await quiet(world)


async def test_a_url_gets_as_many_a_second_as_it_takes(world: World) -> None:
    topic = await world.topic()
    policy = {"throttlePolicy": {"maxReceivesPerSecond": 1000}}
    await confirmed(world, topic, DeliveryPolicy=json.dumps(policy))
    for number in range(5):
        await publish(world, topic, str(number))
    assert len(await world.outside.until(5)) == 5


async def test_what_waits_for_a_url_is_delivered_by_the_next_server(world: World) -> None:
    topic = await world.topic()
    await confirmed(world, topic)
    world.outside.answers[URL] = [500, 200]
    await publish(world, topic, "precious")
    await world.outside.until(1)
    await settled(world)
    world.service = world.made()
    async with running(world.service):
        await world.later(20)
        await world.outside.until(2)
        await quiet(world)


async def test_deliveries_to_a_subscription_that_has_gone_are_dropped(world: World) -> None:
    topic = await world.topic()
    await confirmed(world, topic)
    world.outside.answers[URL] = [500]
    await publish(world, topic)
    await world.outside.until(1)
    await settled(world)
    await world.call("DeleteTopic", TopicArn=topic)
    await world.later(20)
    await quiet(world)
    assert len(world.outside.sent) == 1


async def test_what_becomes_of_deliveries_is_logged_where_the_topic_says_so(world: World) -> None:
    role = "arn:aws:iam::000000000000:role/r"
    topic = await world.topic(
        HTTPSuccessFeedbackRoleArn=role,
        HTTPSuccessFeedbackSampleRate="100",
        HTTPFailureFeedbackRoleArn=role,
        SQSFailureFeedbackRoleArn=role,
    )
    await confirmed(world, topic)
    await world.subscribe(topic, "sqs", queue("gone"))
    await world.subscribe(topic, "sqs", queue("there"))
    world.local.gone.add(queue("gone"))
    world.outside.answers[URL] = [200, 404]
    told = await publish(world, topic)
    await quiet(world)
    await publish(world, topic)
    await quiet(world)
    shown = [(lines.group, json.loads(lines.events[0][1])) for lines in world.lines]
    assert sorted((group, one["status"], one["delivery"]["destination"]) for group, one in shown) == sorted(
        [
            ("sns/us-east-1/000000000000/t", "SUCCESS", URL),
            ("sns/us-east-1/000000000000/t/Failure", "FAILURE", URL),
            ("sns/us-east-1/000000000000/t/Failure", "FAILURE", queue("gone")),
            ("sns/us-east-1/000000000000/t/Failure", "FAILURE", queue("gone")),
        ]
    )
    [success] = [one for _, one in shown if one["status"] == "SUCCESS"]
    assert success["notification"]["messageId"] == told["MessageId"]
    assert success["delivery"]["statusCode"] == 200


async def test_a_lane_ends_with_its_last_delivery_and_begins_again(world: World) -> None:
    topic = await world.topic()
    await confirmed(world, topic)
    for number in range(3):
        await publish(world, topic, str(number))
        await world.outside.until(number + 1)
        async with asyncio.timeout(20):
            while world.service.lanes.count:
                await world.store.write(lambda tx: None)


async def test_the_password_in_a_url_is_sent_and_never_shown(world: World) -> None:
    topic = await world.topic()
    url = "https://me:p%40ss@receiver.example/hook"
    arn = await confirmed(world, topic, url)
    await publish(world, topic)
    assert (await world.outside.until(1))[0].url == url
    shown = (await world.call("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]["Endpoint"]
    [listed] = (await world.call("ListSubscriptions"))["Subscriptions"]
    assert shown == listed["Endpoint"] == "https://me:****@receiver.example/hook"


async def test_the_password_in_a_url_is_on_no_disk_and_another_one_is_another_endpoint(
    world: World, tmp_path: Path
) -> None:
    topic = await world.topic()
    urls = [f"https://me:{password}@receiver.example/hook?a=b@c" for password in ("correct-horse", "better:h@rse")]
    arns = [await confirmed(world, topic, url) for url in urls]
    assert len(set(arns)) == 2
    assert [await world.subscribe(topic, "https", url) for url in urls] == arns
    await publish(world, topic)
    await world.outside.until(2)
    assert {one.url for one in world.outside.sent if b"SubscriptionConfirmation" not in one.body} == set(urls)
    await world.call("Unsubscribe", SubscriptionArn=arns[0])
    await world.outside.until(3)
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())  # noqa: ASYNC240
    assert [password for password in ("correct-horse", "better:h@rse") if password.encode() in content] == []
