"""The life of alarms in a transaction: found, put, moved to a state with all that follows from it, deleted.

A change of state is one commit with its history, its actions, the event on the default bus, and the states of the
composite alarms above it: so an action is taken once for each change, and never for one that did not last.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from mayfly.clock import Clock
from mayfly.policy.alarms import State
from mayfly.services.contract import ServiceError
from mayfly.services.metrics import alarm_events, alarm_rules, faults
from mayfly.services.metrics import statements as sql
from mayfly.services.metrics.model import Alarm
from mayfly.services.ports import EventTargets, PlatformEvents, Source, TargetOptions
from mayfly.store.api import Reader, Tx

MAX_DEPTH = 20  # of composite alarms over composite alarms
SUBJECT = 100  # characters that the subject of a message may have
OFTEN_S, SELDOM_S = 10, 60  # how often an alarm is looked at, with periods below a minute and from there on
_decoder = msgspec.msgpack.Decoder(Alarm)
_encoder = msgspec.msgpack.Encoder()


def find(reader: Reader, name: str) -> Alarm | None:
    """The alarm of that name."""
    row = reader.one(sql.FIND_ALARM, {"name": name})
    return None if row is None else _decoder.decode(row[0])


def existing(reader: Reader, name: str) -> Alarm:
    """The alarm of that name; `ServiceError` ResourceNotFound."""
    alarm = find(reader, name)
    if alarm is None:
        raise faults.no_alarm(name)
    return alarm


def page(reader: Reader, prefix: str, after: str, limit: int) -> list[Alarm]:
    """Alarms in order of name."""
    bounds = {"low": prefix, "high": prefix + "\U0010ffff", "after": after, "limit": limit}
    return [_decoder.decode(row[0]) for row in reader.all(sql.LIST_ALARMS, bounds)]


def of_interval(reader: Reader, every_s: int, after: str, limit: int) -> list[Alarm]:
    """Metric alarms that are looked at every `every_s` seconds, in order of name."""
    bounds = {"every_s": every_s, "after": after, "limit": limit}
    return [_decoder.decode(row[0]) for row in reader.all(sql.ALARMS_OF_INTERVAL, bounds)]


def parents(reader: Reader, name: str) -> list[str]:
    """Composite alarms that look at an alarm."""
    return [row[0] for row in reader.all(sql.PARENTS, {"child": name})]


def children(reader: Reader, name: str) -> list[str]:
    """What a composite alarm looks at."""
    return [row[0] for row in reader.all(sql.CHILDREN, {"parent": name})]


@dataclass(frozen=True, slots=True)
class Alarms:
    """Changes of alarms, and what follows from them."""

    clock: Clock
    targets: EventTargets
    events: PlatformEvents
    account: str
    region: str

    def arn(self, name: str) -> str:
        """The ARN of an alarm."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{name}"

    def put(self, tx: Tx, alarm: Alarm) -> None:
        """Make or replace an alarm; a composite one takes its state from its children at once."""
        before = find(tx, alarm.name)
        if before is not None:
            alarm = msgspec.structs.replace(
                alarm,
                revision=before.revision + 1,
                state=before.state,
                state_reason=before.state_reason,
                state_reason_data=before.state_reason_data,
                state_at=before.state_at,
                transition_at=before.transition_at,
                tags=before.tags,
            )
        every_s = None
        if alarm.kind == "MetricAlarm":
            every_s = OFTEN_S if alarm.period_s < SELDOM_S else SELDOM_S
        tx.run(sql.PUT_ALARM, {**_row(alarm), "kind": alarm.kind, "every_s": every_s})
        kind = "Create" if before is None else "Update"
        data = {"version": "1.0", "type": kind, f"{kind.lower()}dAlarm": {"alarmName": alarm.name}}
        self._note(tx, alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {kind.lower()}d', data)
        tx.run(sql.FORGET_CHILDREN, {"parent": alarm.name})
        if alarm.kind == "CompositeAlarm":
            found = alarm_rules.parse(alarm.rule).children
            tx.many(sql.ADD_CHILD, [{"parent": alarm.name, "child": child} for child in found])
            self._refuse_circle(tx, alarm.name)
            self._reconsider(tx, alarm.name, 0)

    def rewrite(self, tx: Tx, alarm: Alarm) -> None:
        """Store a change of an alarm that leaves its state: tags, whether actions are taken."""
        changed = msgspec.structs.replace(alarm, revision=alarm.revision + 1)
        tx.run(sql.CHANGE_ALARM, {**_row(changed), "before": alarm.revision})

    def delete(self, tx: Tx, names: Iterable[str]) -> None:
        """Remove alarms; all of them or none, and none that a composite alarm left behind looks at."""
        gone = set(names)
        for name in gone:
            alarm = existing(tx, name)
            looking = [parent for parent in parents(tx, name) if parent not in gone]
            if looking:
                raise ServiceError(
                    "ResourceConflict", f"The alarm {name} is used by the composite alarm {looking[0]}.", status=409
                )
            data = {"version": "1.0", "type": "Delete", "deletedAlarm": {"alarmName": name}}
            self._note(tx, alarm, "ConfigurationUpdate", f'Alarm "{name}" deleted', data)
            tx.run(sql.FORGET_CHILDREN, {"parent": name})
            tx.run(sql.DELETE_ALARM, {"name": name})

    def move(self, tx: Tx, alarm: Alarm, state: State, reason: str, reason_data: str, depth: int = 0) -> None:
        """Put `alarm`, as it was read, into a state, and do what follows if it was in another.

        Nothing happens when the alarm was changed since it was read.
        """
        now = self.clock.now()
        moved = state != alarm.state
        after = msgspec.structs.replace(
            alarm,
            revision=alarm.revision + 1,
            state=state,
            state_reason=reason[:1023],
            state_reason_data=reason_data[:4000],
            state_at=now,
            transition_at=now if moved else alarm.transition_at,
        )
        if not tx.run(sql.CHANGE_ALARM, {**_row(after), "before": alarm.revision}) or not moved:
            return
        data = {"version": "1.0", "oldState": _state(alarm), "newState": _state(after)}
        self._note(tx, after, "StateUpdate", f"Alarm updated from {alarm.state} to {state}", data)
        arn = self.arn(alarm.name)
        detail = alarm_events.state_change(after, alarm)
        self.events.emit(tx, "aws.cloudwatch", "CloudWatch Alarm State Change", detail, [arn])
        for action in after.actions():
            self._act(tx, action, after, alarm)
        for parent in parents(tx, alarm.name):
            self._reconsider(tx, parent, depth + 1)

    def _act(self, tx: Tx, action: str, after: Alarm, before: Alarm) -> None:
        """Take one action; what became of it is in the history."""
        event = alarm_events.for_action(action, after, before, self.arn(after.name), self.account, self.region)
        try:
            owner = Source("cloudwatch.amazonaws.com", self.arn(after.name), self.account)
            subject = f'{after.state}: "{after.name}" in {self.region}'[:SUBJECT]
            self.targets.accept(tx, action, event, TargetOptions(subject=subject, on_behalf_of=owner))
        except ServiceError as error:
            published = {"actionState": "Failed", "stateUpdateTimestamp": after.state_at, "error": str(error)}
            self._note(tx, after, "Action", f"Failed to execute action {action}"[:255], published)
        else:
            published = {"actionState": "Succeeded", "stateUpdateTimestamp": after.state_at}
            self._note(tx, after, "Action", f"Successfully executed action {action}"[:255], published)

    def _reconsider(self, tx: Tx, name: str, depth: int) -> None:
        """Give a composite alarm the state that its children make."""
        alarm = find(tx, name)
        if alarm is None or depth > MAX_DEPTH:
            return
        rule = alarm_rules.parse(alarm.rule)
        states = {child: found.state for child in rule.children if (found := find(tx, child)) is not None}
        state: State = "ALARM" if rule.holds(states) else "OK"
        if state != alarm.state:
            told = ", ".join(f"{self.arn(child)} is in the state {found}" for child, found in states.items())
            reason = f"{name} transitioned to {state}: {told}."
            triggers = [{"arn": self.arn(child), "state": {"value": found}} for child, found in states.items()]
            self.move(tx, alarm, state, reason, json.dumps({"triggeringAlarms": triggers}), depth)

    def _refuse_circle(self, tx: Tx, name: str) -> None:
        seen: set[str] = set()
        ahead = children(tx, name)
        while ahead:
            one = ahead.pop()
            if one == name:
                raise faults.validation(f"The rule of {name} leads back to itself.")
            if one not in seen:
                seen.add(one)
                ahead += children(tx, one)

    def _note(self, tx: Tx, alarm: Alarm, item: str, summary: str, data: dict[str, Any]) -> None:
        row = tx.one(sql.NEXT_HISTORY_ID)
        assert row is not None, "an aggregate has a row"
        entry = {
            "id": row[0],
            "alarm": alarm.name,
            "kind": alarm.kind,
            "at": self.clock.now(),
            "item": item,
            "summary": summary[:255],
            "data": json.dumps(data)[:4095],
        }
        tx.run(sql.ADD_HISTORY, entry)


def _row(alarm: Alarm) -> dict[str, Any]:
    return {
        "name": alarm.name,
        "revision": alarm.revision,
        "state": alarm.state,
        "content": _encoder.encode(alarm),
    }


def _state(alarm: Alarm) -> dict[str, Any]:
    return {
        "stateValue": alarm.state,
        "stateReason": alarm.state_reason,
        **({"stateReasonData": json.loads(alarm.state_reason_data)} if alarm.state_reason_data else {}),
    }
