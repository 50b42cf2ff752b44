"""Events that the platform itself puts on buses: by the clock, from services, by other sources' targets."""

import json
from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.ports import TargetOptions
from tests.services.events.conftest import ACCOUNT, REGION, Events, queue_arn

BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"


async def test_a_rule_runs_by_the_clock_once_a_tick(events: Events) -> None:
    await events.call("PutRule", Name="often", ScheduleExpression="rate(5 minutes)")
    await events.call("PutTargets", Rule="often", Targets=[{"Id": "t", "Arn": queue_arn("ticks")}])
    async with events.running():
        for number in range(1, 4):
            events.clock.advance(300)
            events.service.clock_moved()
            await events.until(lambda number=number: len(events.targets.got) == number)  # type: ignore[misc]
    first = events.targets.of(queue_arn("ticks"))[0]
    assert (first["source"], first["detail-type"], first["detail"]) == ("aws.events", "Scheduled Event", {})
    assert first["resources"] == [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/often"]
    assert first["time"] == "2023-11-14T22:18:20Z"


async def test_a_rule_that_is_off_or_gone_does_not_tick(events: Events) -> None:
    for name in ("off", "gone", "on"):
        await events.call("PutRule", Name=name, ScheduleExpression="rate(1 minute)")
        await events.call("PutTargets", Rule=name, Targets=[{"Id": "t", "Arn": queue_arn(name)}])
    await events.call("DisableRule", Name="off")
    await events.call("RemoveTargets", Rule="gone", Ids=["t"])
    await events.call("DeleteRule", Name="gone")
    async with events.running():
        events.clock.advance(60)
        events.service.clock_moved()
        await events.until(lambda: bool(events.targets.got))
    assert [arn for arn, _, _ in events.targets.got] == [queue_arn("on")]


async def test_what_services_tell_reaches_rules_of_the_default_bus(events: Events) -> None:
    emit = events.service.platform_events.emit
    await events.store.write(lambda tx: emit(tx, "aws.s3", "Object Created", {"n": 0}))  # nobody listens yet
    await events.rule("objects", queue_arn("objects"), pattern=json.dumps({"source": ["aws.s3"]}))
    await events.store.write(lambda tx: emit(tx, "aws.s3", "Object Created", {"n": 1}, ["arn:aws:s3:::b"]))
    (event,) = events.targets.of(queue_arn("objects"))
    assert (event["detail-type"], event["detail"], event["resources"]) == (
        "Object Created",
        {"n": 1},
        ["arn:aws:s3:::b"],
    )


async def test_what_is_undone_was_never_told(events: Events) -> None:
    await events.rule("objects", queue_arn("objects"), pattern=json.dumps({"source": ["aws.s3"]}))

    def body(tx: Any) -> None:
        events.service.platform_events.emit(tx, "aws.s3", "Object Created", {})
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await events.store.write(body)
    assert events.targets.got == []


async def test_buses_are_targets_of_others(events: Events) -> None:
    await events.rule("sales", queue_arn("sales"))
    accept = events.service.event_targets.accept
    options = TargetOptions(source="shop", detail_type="sold", resources=("r",))
    await events.store.write(lambda tx: accept(tx, BUS, b'{"n": 1}', options))
    whole = json.dumps(
        {"source": "shop", "detail-type": "sold", "detail": {"n": 2}, "id": "mine", "time": "2022-01-01T00:00:00Z"}
    ).encode()
    await events.store.write(lambda tx: accept(tx, BUS, whole))
    got = events.targets.of(queue_arn("sales"))
    assert [(event["detail"], event["resources"]) for event in got] == [({"n": 1}, ["r"]), ({"n": 2}, [])]
    assert (got[1]["id"], got[1]["time"]) == ("mine", "2022-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("arn", "event", "code"),
    [
        (BUS + "2", b"{}", "ResourceNotFoundException"),
        (BUS, b"[]", "ValidationException"),
        (BUS, b'{"source": 1}', "ValidationException"),
        ("arn:aws:events:us-east-1:000000000000:rule/x", b"{}", "ValidationException"),
    ],
)
async def test_what_is_no_event_or_no_bus_is_refused(events: Events, arn: str, event: bytes, code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        await events.store.write(lambda tx: events.service.event_targets.accept(tx, arn, event))
    assert caught.value.code == code
