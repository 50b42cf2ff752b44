"""Replays: start, cancel, describe, list."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.events import errors, paging, records
from mayfly.services.events import statements as sql
from mayfly.services.events.model import BusKey, Replay
from mayfly.services.events.names import archive_arn, archive_of_arn, bus_of_arn, replay_arn, rule_of_arn
from mayfly.services.events.records import Owner, StoredReplay
from mayfly.services.events.replays import Replayer
from mayfly.settings import EventLimits
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events


class ReplayOperations:
    """A replay puts events of an archive on the bus again that they came from."""

    def __init__(self, store: Store, clock: Clock, replayer: Replayer, limits: EventLimits) -> None:
        self._store = store
        self._clock = clock
        self._replayer = replayer
        self._limits = limits

    @operation("StartReplay")
    async def start(self, context: RequestContext, request: "events.StartReplayRequestTypeDef") -> dict[str, Any]:
        name, owner = request["ReplayName"], Owner(context.account, context.region)
        destination = request["Destination"]
        bus = bus_of_arn(destination["Arn"])
        if bus is None or (bus.account, bus.region) != owner:
            raise errors.invalid("Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.")
        begin, end = _seconds(request["EventStartTime"]), _seconds(request["EventEndTime"])
        rules = tuple(destination.get("FilterArns", ()))

        def body(tx: Tx) -> Replay:
            records.bus_of(tx, bus)
            serial = _source(tx, context, request["EventSourceArn"], bus)
            if begin >= end:
                raise errors.invalid(
                    "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime."
                )
            _check_rules(tx, bus, rules)
            if records.find_replay(tx, owner, name) is not None:
                raise errors.exists("Replay", name)
            row = tx.one(sql.COUNT_ACTIVE, records.owner(owner))
            if row is not None and row[0] >= self._limits.active_replays:
                raise errors.limit()
            replay = Replay(bus.name, serial, begin, end, self._clock.now(), rules, request.get("Description"))
            source = archive_of_arn(context, request["EventSourceArn"])
            assert source is not None, "it was found by its ARN"
            records.put_replay(tx, owner, StoredReplay(name, source, "STARTING", replay))
            tx.after_commit(lambda: self._replayer.begun(owner, name))
            return replay

        replay = await self._store.write(body)
        return {
            "ReplayArn": replay_arn(context, name),
            "State": "STARTING",
            "ReplayStartTime": utc(replay.began_at),
        }

    @operation("CancelReplay")
    async def cancel(self, context: RequestContext, request: "events.CancelReplayRequestTypeDef") -> dict[str, Any]:
        name, owner = request["ReplayName"], Owner(context.account, context.region)

        def body(tx: Tx) -> None:
            stored = records.replay_of(tx, owner, name)
            if stored.state not in ("STARTING", "RUNNING"):
                raise ServiceError(
                    "IllegalStatusException", f"Replay {name} is not in a valid state for this operation."
                )
            records.put_replay(tx, owner, stored._replace(state="CANCELLING"))

        await self._store.write(body)
        return {"ReplayArn": replay_arn(context, name), "State": "CANCELLING"}

    @operation("DescribeReplay")
    async def describe(self, context: RequestContext, request: "events.DescribeReplayRequestTypeDef") -> dict[str, Any]:
        owner = Owner(context.account, context.region)
        stored = await self._store.read(lambda reader: records.replay_of(reader, owner, request["ReplayName"]))
        destination: dict[str, Any] = {"Arn": BusKey(*owner, stored.replay.bus).arn}
        if stored.replay.rules:
            destination["FilterArns"] = list(stored.replay.rules)
        shown = {"ReplayArn": replay_arn(context, stored.name), "Destination": destination, **_shown(context, stored)}
        if stored.replay.description is not None:
            shown["Description"] = stored.replay.description
        return shown

    @operation("ListReplays")
    async def list_replays(
        self, context: RequestContext, request: "events.ListReplaysRequestTypeDef"
    ) -> dict[str, Any]:
        owner, prefix = Owner(context.account, context.region), request.get("NamePrefix", "")
        state, source = request.get("State"), request.get("EventSourceArn")
        after, most = paging.after(request), paging.limit(request)

        def body(reader: Reader) -> list[StoredReplay]:
            return paging.filtered(
                lambda start, count: records.list_replays(reader, owner, start, prefix, count),
                lambda stored: state in (None, stored.state) and source in (None, archive_arn(context, stored.archive)),
                lambda stored: stored.name,
                after,
                most,
            )

        page, more = paging.cut(await self._store.read(body), most, lambda stored: stored.name)
        return {"Replays": [_shown(context, stored) for stored in page], **more}


def _seconds(moment: datetime | str) -> float:
    assert isinstance(moment, datetime), "the wire has read it"
    return moment.timestamp()


def _source(reader: Reader, context: RequestContext, arn: str, bus: BusKey) -> int:
    """The serial of the archive to replay, which must be one of `bus`."""
    name = archive_of_arn(context, arn)
    if name is None:
        raise errors.invalid("Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.")
    stored = records.find_archive(reader, Owner(context.account, context.region), name)
    if stored is None:
        raise errors.invalid(f"Parameter EventSourceArn is not valid. Reason: Archive {name} does not exist.")
    if stored.bus != bus.name:
        raise errors.invalid("Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
    return stored.serial


def _check_rules(reader: Reader, bus: BusKey, arns: tuple[str, ...]) -> None:
    for arn in arns:
        key = rule_of_arn(arn)
        if key is None or key.bus != bus:
            raise errors.invalid(
                f"Parameter Destination.FilterArns is not valid. Reason: {arn} is no rule of event bus {bus.name}."
            )
        records.rule_of(reader, bus, key.name)


def _shown(context: RequestContext, stored: StoredReplay) -> dict[str, Any]:
    replay = stored.replay
    shown: dict[str, Any] = {
        "ReplayName": stored.name,
        "EventSourceArn": archive_arn(context, stored.archive),
        "State": stored.state,
        "EventStartTime": utc(replay.start),
        "EventEndTime": utc(replay.end),
        "ReplayStartTime": utc(replay.began_at),
    }
    if replay.last_at is not None:
        shown["EventLastReplayedTime"] = utc(replay.last_at)
    if replay.ended_at is not None:
        shown["ReplayEndTime"] = utc(replay.ended_at)
    if replay.reason is not None:
        shown["StateReason"] = replay.reason
    return shown
