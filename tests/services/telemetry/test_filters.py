"""Filters on groups: what is handed on, and what is measured, with the events and not without them."""

import base64
import gzip
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.ports import PLAIN, LogLines, Measured, TargetOptions
from mayfly.services.telemetry.book import FiltersNotReadyError
from mayfly.services.telemetry.on_the_wire import LogsOnTheWire
from mayfly.services.telemetry.service import LogsService
from mayfly.store.api import Tx
from mayfly.store.sqlite import SqliteStore

ACCOUNT, REGION, GROUP = "000000000000", "us-east-1", "/app"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
CONTEXT = RequestContext("r", ACCOUNT, REGION, Principal("root", ACCOUNT, "arn", "id"), "http://127.0.0.1:4566")


class World:
    """Logs, and what they hand on to."""

    def __init__(self, store: SqliteStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.sent: list[dict[str, Any]] = []
        self.measured: list[Measured] = []
        self.denied: set[str] = set()  # principals
        self.gone = False
        self.service = LogsService(store, clock)
        self.wire = LogsOnTheWire(store, self.service.book, clock, self)
        self.service.book.attach(self._flush)

    async def _flush(self) -> None:
        """There is no journal here."""

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        assert source_arn == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"
        if principal in self.denied:
            raise ServiceError("AccessDeniedException", "no")

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        if self.gone:
            raise ServiceError("ResourceNotFoundException", "gone")
        data = json.loads(event)["awslogs"]["data"]
        self.sent.append(json.loads(gzip.decompress(base64.b64decode(data))))

    def measure(self, tx: Tx, found: Sequence[Measured]) -> None:
        self.measured += found

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.wire.operations[operation](CONTEXT, request)
        return reply

    async def refused(self, operation: str, **request: Any) -> tuple[str, str]:
        with pytest.raises(ServiceError) as caught:
            await self(operation, **request)
        return caught.value.code, caught.value.message

    async def write(self, *messages: str, stream: str = "s") -> None:
        """As the journal does it."""
        now = int(self.clock.now() * 1000)
        lines = [LogLines(GROUP, stream, [(now, message) for message in messages])]
        await self.store.write(lambda tx: self.service.book.fold(tx, lines))

    def texts(self) -> list[str]:
        return [event["message"] for sent in self.sent for event in sent["logEvents"]]


@pytest.fixture
async def world(open_store: Any, clock: ManualClock) -> World:
    made = World(await open_store("mayfly.services.telemetry"), clock)
    made.service.attach(made, made, ACCOUNT, REGION)
    await made("CreateLogGroup", logGroupName=GROUP)
    return made


def subscription(pattern: str = "ERROR", **more: Any) -> dict[str, Any]:
    return {"logGroupName": GROUP, "filterName": "f", "filterPattern": pattern, "destinationArn": FUNCTION, **more}


def measuring(pattern: str, **said: Any) -> dict[str, Any]:
    transformation = {"metricName": "m", "metricNamespace": "App", "metricValue": "1", **said}
    return {
        "logGroupName": GROUP,
        "filterName": "m",
        "filterPattern": pattern,
        "metricTransformations": [transformation],
    }


async def test_selected_events_are_handed_on_packed_as_aws_packs_them(world: World) -> None:
    await world("PutSubscriptionFilter", **subscription())
    await world.write("an ERROR", "fine", "ERROR again")
    (sent,) = world.sent
    assert {name: sent[name] for name in ("messageType", "owner", "logGroup", "logStream", "subscriptionFilters")} == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": GROUP,
        "logStream": "s",
        "subscriptionFilters": ["f"],
    }
    assert world.texts() == ["an ERROR", "ERROR again"]
    stored = (await world("FilterLogEvents", logGroupName=GROUP, filterPattern="ERROR"))["events"]
    assert [event["id"] for event in sent["logEvents"]] == [event["eventId"] for event in stored]


async def test_columns_of_a_pattern_are_handed_on_beside_the_message(world: World) -> None:
    await world("PutSubscriptionFilter", **subscription("[level, ..., ms > 10]"))
    await world.write("INFO took 25", "INFO took 5")
    (event,) = world.sent[0]["logEvents"]
    assert event["extractedFields"] == {"level": "INFO", "ms": "25"}


async def test_what_is_put_later_or_taken_away_counts_from_then_on(world: World) -> None:
    await world.write("ERROR before")
    await world("PutSubscriptionFilter", **subscription())
    await world.write("ERROR one")
    await world("PutSubscriptionFilter", **subscription("WARN"))
    await world.write("ERROR two", "WARN three")
    await world("DeleteSubscriptionFilter", logGroupName=GROUP, filterName="f")
    await world.write("WARN four")
    assert world.texts() == ["ERROR one", "WARN three"]


async def test_what_is_too_large_for_one_delivery_goes_in_several(world: World) -> None:
    await world("PutSubscriptionFilter", **subscription(""))
    random = Random(7)
    noise = ["".join(chr(random.randrange(33, 126)) for _ in range(60_000)) for _ in range(8)]
    await world.write(*noise)
    assert len(world.sent) > 1
    assert world.texts() == noise


async def test_a_destination_that_is_gone_keeps_no_event_from_being_stored(world: World) -> None:
    await world("PutSubscriptionFilter", **subscription())
    world.gone = True
    await world.write("ERROR")
    assert len((await world("FilterLogEvents", logGroupName=GROUP))["events"]) == 1


async def test_events_of_a_group_with_filters_wait_until_there_is_somewhere_to_hand_them_on_to(
    world: World, clock: ManualClock
) -> None:
    await world("PutSubscriptionFilter", **subscription())
    again = World(world.store, clock)
    with pytest.raises(FiltersNotReadyError):
        await again.write("ERROR")
    again.service.attach(again, again, ACCOUNT, REGION)
    await again.write("ERROR")
    assert again.texts() == ["ERROR"]


async def test_a_function_that_does_not_let_logs_call_it_is_refused(world: World) -> None:
    world.denied = {"logs.amazonaws.com"}
    await world("PutSubscriptionFilter", **subscription())  # it may name the service as of the region
    world.denied.add(f"logs.{REGION}.amazonaws.com")
    code, message = await world.refused("PutSubscriptionFilter", **subscription())
    assert (code, message.split(".")[0]) == ("InvalidParameterException", "Could not execute the lambda function")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"logGroupName": "/none"}, "ResourceNotFoundException"),
        ({"filterPattern": "{ $.a ="}, "InvalidParameterException"),
        ({"destinationArn": "nonsense"}, "InvalidParameterException"),
        ({"roleArn": "arn:aws:iam::000000000000:role/r"}, "InvalidParameterException"),
        ({"applyOnTransformedLogs": True}, "InvalidParameterException"),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused(world: World, changes: dict[str, Any], code: str) -> None:
    assert (await world.refused("PutSubscriptionFilter", **subscription() | changes))[0] == code


async def test_a_function_cannot_be_handed_its_own_log(world: World) -> None:
    own = "/aws/lambda/f"
    await world("CreateLogGroup", logGroupName=own)
    code, message = await world.refused("PutSubscriptionFilter", **subscription() | {"logGroupName": own})
    assert (code, "reserved" in message) == ("InvalidParameterException", True)


async def test_a_group_has_two_subscriptions_at_most_and_they_go_with_it(world: World) -> None:
    for name in ("a", "b"):
        await world("PutSubscriptionFilter", **subscription() | {"filterName": name})
    third = await world.refused("PutSubscriptionFilter", **subscription() | {"filterName": "c"})
    assert third == ("LimitExceededException", "Resource limit exceeded.")
    page = await world("DescribeSubscriptionFilters", logGroupName=GROUP, limit=1)
    rest = await world("DescribeSubscriptionFilters", logGroupName=GROUP, limit=1, nextToken=page["nextToken"])
    assert [one["filterName"] for one in page["subscriptionFilters"] + rest["subscriptionFilters"]] == ["a", "b"]
    await world("DeleteLogGroup", logGroupName=GROUP)
    await world("CreateLogGroup", logGroupName=GROUP)
    assert (await world("DescribeSubscriptionFilters", logGroupName=GROUP))["subscriptionFilters"] == []
    await world.write("ERROR")
    assert world.sent == []


async def test_a_metric_filter_counts_events_by_the_minute(world: World, clock: ManualClock) -> None:
    await world("PutMetricFilter", **measuring("ERROR", defaultValue=0.0, unit="Count"))
    minute = int(clock.now()) // 60 * 60
    await world.write("ERROR", "ERROR", "fine")
    clock.advance(120)
    await world.write("fine")
    assert world.measured == [
        Measured("App", "m", (), "Count", minute, (1.0, 1.0)),
        Measured("App", "m", (), "Count", minute + 120, (0.0,)),
    ]


async def test_a_metric_filter_measures_what_a_property_says_by_dimensions(world: World) -> None:
    said = {"metricValue": "$.ms", "dimensions": {"Path": "$.path"}, "unit": "Milliseconds"}
    await world("PutMetricFilter", **measuring("{ $.ms > 10 }", **said))
    await world.write('{"ms": 25, "path": "/a"}', '{"ms": 5, "path": "/a"}', '{"ms": 30, "path": "/b"}', '{"ms": 40}')
    assert [(one.dimensions, one.values) for one in world.measured] == [
        ((("Path", "/a"),), (25.0,)),
        ((("Path", "/b"),), (30.0,)),
    ]


async def test_a_metric_filter_measures_what_a_column_says(world: World) -> None:
    await world("PutMetricFilter", **measuring("[..., size]", metricValue="$size"))
    await world.write("a b 12", "a b none")
    assert [one.values for one in world.measured] == [(12.0,)]
    shown = (await world("DescribeMetricFilters", metricName="m", metricNamespace="App"))["metricFilters"]
    assert shown[0]["metricTransformations"][0]["metricValue"] == "$size"
    assert (await world("DescribeLogGroups"))["logGroups"][0]["metricFilterCount"] == 1
    await world("DeleteMetricFilter", logGroupName=GROUP, filterName="m")
    assert (await world.refused("DeleteMetricFilter", logGroupName=GROUP, filterName="m"))[0] == (
        "ResourceNotFoundException"
    )


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("ERROR", {"metricValue": "$size"}),
        ("ERROR", {"metricValue": "many"}),
        ("[a, b]", {"metricValue": "$c"}),
        ("[a, b]", {"metricNamespace": "AWS/Lambda"}),
        ("[a, b]", {"dimensions": {"A": "$a"}, "defaultValue": 0.0}),
        ("{ $.a = 1 }", {"dimensions": {"A": "$.a", "B": "$.b", "C": "$.c", "D": "$.d"}}),
    ],
)
async def test_a_measure_that_cannot_be_is_refused(world: World, pattern: str, said: dict[str, Any]) -> None:
    assert (await world.refused("PutMetricFilter", **measuring(pattern, **said)))[0] == "InvalidParameterException"


async def test_a_pattern_can_be_tried(world: World) -> None:
    tried = await world(
        "TestMetricFilter", filterPattern="[level, ms > 10]", logEventMessages=["A 5", "B 20", "C 30 x"]
    )
    assert tried["matches"] == [
        {"eventNumber": 2, "eventMessage": "B 20", "extractedValues": {"$level": "B", "$ms": "20"}}
    ]
    tried = await world("TestMetricFilter", filterPattern="{ $.a = 1 }", logEventMessages=['{"a": 1}'])
    assert tried["matches"][0]["extractedValues"] == {"$.a": "1"}


async def test_resource_policies_are_kept_by_name(world: World) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    await world("PutResourcePolicy", policyName="p", policyDocument=document)
    assert [one["policyDocument"] for one in (await world("DescribeResourcePolicies"))["resourcePolicies"]] == [
        document
    ]
    for number in range(9):
        await world("PutResourcePolicy", policyName=f"p{number}", policyDocument=document)
    full = await world.refused("PutResourcePolicy", policyName="q", policyDocument=document)
    assert full[0] == "LimitExceededException"
    await world("DeleteResourcePolicy", policyName="p")
    assert (await world.refused("DeleteResourcePolicy", policyName="p"))[0] == "ResourceNotFoundException"
    assert (await world.refused("PutResourcePolicy", policyName="p", policyDocument="x"))[0] == (
        "InvalidParameterException"
    )
