"""Notifications: the configuration, the events, and that both are as durable as the objects."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.services.contract import Principal, ServiceError
from mayfly.services.objects import notifications
from mayfly.services.objects.model import Rule
from mayfly.services.objects.notifications import Happening

from .conftest import Caller, failure, streamed

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:faces"
OTHER = "arn:aws:lambda:us-east-1:000000000000:function:other"


def rule(
    *events: str, target: str = FUNCTION, prefix: str | None = None, suffix: str | None = None, **more: Any
) -> dict[str, Any]:
    named = (("Prefix", prefix), ("Suffix", suffix))
    filters = [{"Name": name, "Value": value} for name, value in named if value is not None]
    entry: dict[str, Any] = {"LambdaFunctionArn": target, "Events": list(events), **more}
    if filters:
        entry["Filter"] = {"Key": {"FilterRules": filters}}
    return entry


async def configure(s3: Caller, *rules: dict[str, Any], **more: Any) -> None:
    configuration = {"LambdaFunctionConfigurations": list(rules)}
    await s3("PutBucketNotificationConfiguration", Bucket="bucket", NotificationConfiguration=configuration, **more)


async def names(s3: Caller) -> list[tuple[str, str]]:
    return [(event["eventName"], event["s3"]["object"]["key"]) for _, event in await s3.events()]


async def test_an_event_has_the_shape_of_s3(s3: Caller, clock: ManualClock) -> None:
    await configure(s3, rule("s3:ObjectCreated:*", Id="faces"))
    clock.advance(0.25)
    role = Principal("assumed-role", "000000000000", "arn:aws:sts::000000000000:assumed-role/r/s", "AROAEXAMPLE:s")
    put = await s3.as_(s3.context(role), "PutObject", Bucket="bucket", Key="a b/ü+c.jpg", Body=streamed(b"hello"))
    ((target, event),) = await s3.events()
    assert target == FUNCTION
    sequencer = event["s3"]["object"].pop("sequencer")
    assert int(sequencer, 16) > 0
    assert event["responseElements"].pop("x-amz-id-2")
    assert event == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2023-11-14T22:13:20.250Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE:s"},
        "requestParameters": {"sourceIPAddress": "203.0.113.9"},
        "responseElements": {"x-amz-request-id": "4442587FB7D0A2F9"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "faces",
            "bucket": {
                "name": "bucket",
                "ownerIdentity": {"principalId": "000000000000"},
                "arn": "arn:aws:s3:::bucket",
            },
            "object": {"key": "a+b/%C3%BC%2Bc.jpg", "size": 5, "eTag": put["ETag"].strip('"')},
        },
    }


async def test_every_kind_of_change_has_its_event(s3: Caller) -> None:
    await configure(s3, rule("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"))
    await s3.put("a")
    await s3("CopyObject", Bucket="bucket", Key="b", CopySource="bucket/a")
    upload = (await s3("CreateMultipartUpload", Bucket="bucket", Key="c"))["UploadId"]
    about = {"Bucket": "bucket", "Key": "c", "UploadId": upload}
    part = await s3("UploadPart", **about, PartNumber=1, Body=streamed(b"x"))
    for _ in range(2):  # the repetition tells nobody again
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        await s3("CompleteMultipartUpload", **about, MultipartUpload=parts)
    await s3("PutObjectTagging", Bucket="bucket", Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    await s3("DeleteObjectTagging", Bucket="bucket", Key="a")
    await s3("DeleteObject", Bucket="bucket", Key="a")
    await s3("DeleteObject", Bucket="bucket", Key="a")  # nothing was there
    await s3("DeleteObjects", Bucket="bucket", Delete={"Objects": [{"Key": "b"}, {"Key": "none"}]})
    assert await names(s3) == [
        ("ObjectCreated:Put", "a"),
        ("ObjectCreated:Copy", "b"),
        ("ObjectCreated:CompleteMultipartUpload", "c"),
        ("ObjectTagging:Put", "a"),
        ("ObjectTagging:Delete", "a"),
        ("ObjectRemoved:Delete", "a"),
        ("ObjectRemoved:Delete", "b"),
    ]
    removed = (await s3.events())[-1][1]["s3"]["object"]
    assert set(removed) == {"key", "sequencer"}


async def test_only_what_passes_event_and_filter_is_told(s3: Caller) -> None:
    await configure(
        s3,
        rule("s3:ObjectCreated:Put", prefix="in/", suffix=".jpg"),
        rule("s3:ObjectRemoved:Delete", target=OTHER, prefix="in/", suffix=".jpg"),
        rule("s3:ObjectCreated:Put", target=OTHER, prefix="with+space/"),
    )
    for key in ("in/a.jpg", "in/a.png", "out/a.jpg", "with space/x"):
        await s3.put(key)
    await s3("DeleteObject", Bucket="bucket", Key="in/a.jpg")
    told = [(target, event["eventName"], event["s3"]["object"]["key"]) for target, event in await s3.events()]
    assert told == [
        (FUNCTION, "ObjectCreated:Put", "in/a.jpg"),
        (OTHER, "ObjectCreated:Put", "with+space/x"),
        (OTHER, "ObjectRemoved:Delete", "in/a.jpg"),
    ]


async def test_the_sequencer_rises_even_when_the_clock_does_not(s3: Caller) -> None:
    await configure(s3, rule("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
    for _ in range(3):
        await s3.put("key")
        await s3("DeleteObject", Bucket="bucket", Key="key")
    sequencers = [event["s3"]["object"]["sequencer"] for _, event in await s3.events()]
    assert sequencers == sorted(set(sequencers))
    assert len({len(sequencer) for sequencer in sequencers}) == 1


async def test_an_event_lives_and_dies_with_its_change(s3: Caller) -> None:
    await configure(s3, rule("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
    await s3.put("kept")
    s3.targets.fail_accept = True
    for call in (s3.put("key"), s3("DeleteObject", Bucket="bucket", Key="kept")):
        with pytest.raises(RuntimeError, match="after the event was accepted"):
            await call
    s3.targets.fail_accept = False
    assert await names(s3) == [("ObjectCreated:Put", "kept")]
    assert (await failure(s3("HeadObject", Bucket="bucket", Key="key"))).code == "NoSuchKey"
    assert await s3.text("kept") == b"hello"
    owners = await s3.store.read(lambda reader: reader.all("SELECT owner FROM blob_owners"))
    assert len(owners) == 1


async def test_a_refused_write_tells_nobody(s3: Caller) -> None:
    await configure(s3, rule("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
    await s3.put("key", IfNoneMatch="*")
    for call in (s3.put("key", b"x", IfNoneMatch="*"), s3("DeleteObject", Bucket="bucket", Key="key", IfMatch='"x"')):
        assert (await failure(call)).status == 412
    assert len(await s3.events()) == 1


async def test_a_target_that_cannot_be_does_not_keep_objects_from_being_written(s3: Caller) -> None:
    rules = (rule("s3:ObjectCreated:*", target=OTHER, prefix="a"), rule("s3:ObjectCreated:*", prefix="b"))
    await configure(s3, *rules, SkipDestinationValidation=True)
    s3.targets.refused.add(OTHER)
    await s3.put("a")
    await s3.put("b")
    assert await s3.text("a") == b"hello"
    assert await names(s3) == [("ObjectCreated:Put", "b")]


# --- the configuration


async def test_a_configuration_comes_back_as_it_was_put(s3: Caller) -> None:
    assert await s3("GetBucketNotificationConfiguration", Bucket="bucket") == {}
    rules = [
        rule("s3:ObjectCreated:*", prefix="a/", suffix=".jpg", Id="one"),
        rule("s3:ObjectRemoved:Delete", target=OTHER, Id="two"),
    ]
    await configure(s3, *rules)
    reply = await s3("GetBucketNotificationConfiguration", Bucket="bucket")
    assert reply == {"LambdaFunctionConfigurations": rules}
    assert s3.targets.checked == [
        (target, "s3.amazonaws.com", "arn:aws:s3:::bucket", "000000000000") for target in (FUNCTION, OTHER)
    ]
    await configure(s3)
    assert await s3("GetBucketNotificationConfiguration", Bucket="bucket") == {}


async def test_a_rule_without_an_id_gets_one(s3: Caller) -> None:
    await configure(s3, rule("s3:ObjectCreated:Put"), rule("s3:ObjectCreated:Copy"))
    reply = await s3("GetBucketNotificationConfiguration", Bucket="bucket")
    assert len({entry["Id"] for entry in reply["LambdaFunctionConfigurations"]}) == 2


async def test_a_function_that_may_not_be_invoked_is_no_destination(s3: Caller) -> None:
    s3.targets.refused.add(OTHER)
    await configure(s3, rule("s3:ObjectCreated:Put"))
    caught = await failure(configure(s3, rule("s3:ObjectCreated:Copy", target=OTHER)))
    assert (caught.code, caught.status) == ("InvalidArgument", 400)
    assert caught.message == "Unable to validate the following destination configurations"
    reply = await s3("GetBucketNotificationConfiguration", Bucket="bucket")
    assert reply["LambdaFunctionConfigurations"][0]["LambdaFunctionArn"] == FUNCTION
    await configure(s3, rule("s3:ObjectCreated:Copy", target=OTHER), SkipDestinationValidation=True)


@pytest.mark.parametrize(
    "rules",
    [
        [rule("s3:ObjectCreated:*"), rule("s3:ObjectCreated:Put")],
        [rule("s3:ObjectCreated:Put", prefix="a"), rule("s3:ObjectCreated:Put", prefix="ab")],
        [rule("s3:ObjectCreated:Put", suffix=".jpg"), rule("s3:ObjectCreated:Put", suffix="g")],
        [rule("s3:ObjectCreated:Put", prefix="a"), rule("s3:ObjectCreated:Put", suffix=".jpg")],
        [rule("s3:ObjectCreated:Put", Id="same"), rule("s3:ObjectRemoved:*", Id="same")],
        [rule("s3:ObjectCreated:Nonsense")],
        [rule("s3:ObjectCreated:Put", target="faces")],
        [rule("s3:ObjectCreated:Put", target="arn:aws:sqs:us-east-1:000000000000:queue")],
        [rule("s3:ObjectCreated:Put", Filter={"Key": {"FilterRules": [{"Name": "middle", "Value": "x"}]}})],
    ],
)
async def test_a_configuration_that_makes_no_sense_is_refused(s3: Caller, rules: list[dict[str, Any]]) -> None:
    assert (await failure(configure(s3, *rules))).code == "InvalidArgument"
    assert await s3("GetBucketNotificationConfiguration", Bucket="bucket") == {}


async def test_rules_that_cannot_meet_are_no_overlap(s3: Caller) -> None:
    await configure(
        s3,
        rule("s3:ObjectCreated:Put", prefix="a", suffix=".jpg"),
        rule("s3:ObjectCreated:Put", prefix="a", suffix=".png"),
        rule("s3:ObjectCreated:Put", prefix="b"),
        rule("s3:ObjectRemoved:*"),
    )


QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"


async def test_queues_and_topics_hear_of_events_after_a_test_event(s3: Caller) -> None:
    configuration = {
        "QueueConfigurations": [
            {"Id": "q", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]},
            {"Id": "again", "QueueArn": QUEUE, "Events": ["s3:ObjectTagging:*"]},
        ],
        "TopicConfigurations": [
            {
                "Id": "t",
                "TopicArn": TOPIC,
                "Events": ["s3:ObjectRemoved:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "a"}]}},
            }
        ],
    }
    put = {"Bucket": "bucket", "NotificationConfiguration": configuration}
    await s3("PutBucketNotificationConfiguration", **put)
    assert await s3("GetBucketNotificationConfiguration", Bucket="bucket") == configuration
    rows = await s3.store.read(lambda reader: reader.all("SELECT arn, event FROM accepted"))
    assert [row[0] for row in rows] == [QUEUE, TOPIC]
    test = json.loads(rows[0][1])
    assert (test["Service"], test["Event"], test["Bucket"]) == ("Amazon S3", "s3:TestEvent", "bucket")
    await s3.store.write(lambda tx: tx.run("DELETE FROM accepted"))
    await s3("PutBucketNotificationConfiguration", **put, SkipDestinationValidation=True)
    await s3.put("a")
    await s3("DeleteObject", Bucket="bucket", Key="a")
    told = [(target, event["eventName"], event["s3"]["configurationId"]) for target, event in await s3.events()]
    assert told == [(QUEUE, "ObjectCreated:Put", "q"), (TOPIC, "ObjectRemoved:Delete", "t")]


@pytest.mark.parametrize(
    "configuration",
    [
        {"QueueConfigurations": [{"QueueArn": TOPIC, "Events": ["s3:ObjectCreated:*"]}]},
        {"TopicConfigurations": [{"TopicArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}]},
        {"QueueConfigurations": [{"QueueArn": f"{QUEUE}.fifo", "Events": ["s3:ObjectCreated:*"]}]},
        {"TopicConfigurations": [{"TopicArn": "t", "Events": ["s3:ObjectCreated:*"]}]},
        {
            "TopicConfigurations": [{"TopicArn": TOPIC, "Events": ["s3:ObjectCreated:*"]}],
            "QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:Put"]}],
        },
    ],
)
async def test_destinations_that_cannot_be_are_refused(s3: Caller, configuration: dict[str, Any]) -> None:
    call = s3("PutBucketNotificationConfiguration", Bucket="bucket", NotificationConfiguration=configuration)
    assert (await failure(call)).code == "InvalidArgument"


async def test_a_destination_that_is_not_there_is_refused_and_nothing_is_kept(s3: Caller) -> None:
    s3.targets.refused.add(QUEUE)
    configuration = {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}]}
    call = s3("PutBucketNotificationConfiguration", Bucket="bucket", NotificationConfiguration=configuration)
    assert (await failure(call)).code == "InvalidArgument"
    assert await s3("GetBucketNotificationConfiguration", Bucket="bucket") == {}


TEXTS = st.text(alphabet="ab", max_size=3)
EVENTS = st.sampled_from(["s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:Delete"])
RULES = st.builds(rule, EVENTS, prefix=TEXTS, suffix=TEXTS)


@settings(deadline=None)
@given(RULES, RULES, st.text(alphabet="ab", max_size=6), st.sampled_from(["ObjectCreated:Put", "ObjectRemoved:Delete"]))
def test_of_rules_that_were_accepted_at_most_one_hears_of_an_event(
    one: dict[str, Any], other: dict[str, Any], key: str, event: str
) -> None:
    try:
        rules = notifications.parse({"LambdaFunctionConfigurations": [one, other]}, ["1", "2"])
    except ServiceError:
        return
    assert len(notifications.matching(rules, Happening(event, key))) <= 1


@settings(deadline=None)
@given(st.text(alphabet="ab/ ü", max_size=5))
def test_a_rule_without_a_filter_hears_of_every_key(key: str) -> None:
    everything = Rule("id", FUNCTION, ("s3:ObjectCreated:*",))
    assert notifications.matching([everything], Happening("ObjectCreated:Copy", key)) == [everything]
