"""Targets, policies, actions and activities as rows. All of this runs inside the caller's transaction or snapshot."""

from typing import Any

import msgspec

from mayfly.services.autoscaling.model import Action, Activity, Policy, Target, place_of
from mayfly.store.api import Reader, Tx

KEPT_S = 42 * 86_400.0  # of activities

FIND_TARGET = "SELECT definition FROM autoscaling_target WHERE place = :place"
TARGETS = "SELECT definition FROM autoscaling_target WHERE place > :after ORDER BY place LIMIT :limit"
PUT_TARGET = (
    "INSERT INTO autoscaling_target (place, definition) VALUES (:place, :definition)"
    " ON CONFLICT (place) DO UPDATE SET definition = excluded.definition"
)
DELETE_TARGET = "DELETE FROM autoscaling_target WHERE place = :place"
FIND_POLICY = "SELECT definition FROM autoscaling_policy WHERE place = :place AND name = :name"
POLICIES = (
    "SELECT definition FROM autoscaling_policy WHERE place > :place OR (place = :place AND name > :name)"
    " ORDER BY place, name LIMIT :limit"
)
PUT_POLICY = (
    "INSERT INTO autoscaling_policy (place, name, definition) VALUES (:place, :name, :definition)"
    " ON CONFLICT (place, name) DO UPDATE SET definition = excluded.definition"
)
DELETE_POLICY = "DELETE FROM autoscaling_policy WHERE place = :place AND name = :name"
FIND_ACTION = "SELECT definition FROM autoscaling_action WHERE place = :place AND name = :name"
ACTIONS = (
    "SELECT definition FROM autoscaling_action WHERE place > :place OR (place = :place AND name > :name)"
    " ORDER BY place, name LIMIT :limit"
)
PUT_ACTION = (
    "INSERT INTO autoscaling_action (place, name, definition) VALUES (:place, :name, :definition)"
    " ON CONFLICT (place, name) DO UPDATE SET definition = excluded.definition"
)
DELETE_ACTION = "DELETE FROM autoscaling_action WHERE place = :place AND name = :name"
PUT_ACTIVITY = (
    "INSERT INTO autoscaling_activity (id, place, started_at, definition)"
    " VALUES (:id, :place, :started_at, :definition)"
)
ACTIVITIES = (
    "SELECT definition FROM autoscaling_activity WHERE started_at < :before OR (started_at = :before AND id < :id)"
    " ORDER BY started_at DESC, id DESC LIMIT :limit"
)
FORGET_ACTIVITIES = "DELETE FROM autoscaling_activity WHERE started_at < :before"

_encode = msgspec.json.Encoder().encode
_target = msgspec.json.Decoder(Target).decode
_policy = msgspec.json.Decoder(Policy).decode
_action = msgspec.json.Decoder(Action).decode
_activity = msgspec.json.Decoder(Activity).decode


def target(reader: Reader, resource: str) -> Target | None:
    row = reader.one(FIND_TARGET, {"place": place_of(resource)})
    return _target(row[0]) if row else None


def targets(reader: Reader, after: str, limit: int) -> list[Target]:
    """By place, after one."""
    return [_target(row[0]) for row in reader.all(TARGETS, {"after": after, "limit": limit})]


def put_target(tx: Tx, one: Target) -> None:
    tx.run(PUT_TARGET, {"place": one.place, "definition": _text(one)})


def delete_target(tx: Tx, resource: str) -> None:
    tx.run(DELETE_TARGET, {"place": place_of(resource)})


def policy(reader: Reader, resource: str, name: str) -> Policy | None:
    row = reader.one(FIND_POLICY, {"place": place_of(resource), "name": name})
    return _policy(row[0]) if row else None


def policies(reader: Reader, place: str, name: str, limit: int) -> list[Policy]:
    """By place and name, after one."""
    return [_policy(row[0]) for row in reader.all(POLICIES, {"place": place, "name": name, "limit": limit})]


def policies_of(reader: Reader, resource: str) -> list[Policy]:
    """All of one target."""
    found = policies(reader, place_of(resource), "", 1000)
    return [one for one in found if one.resource == resource]


def put_policy(tx: Tx, one: Policy) -> None:
    tx.run(PUT_POLICY, {"place": place_of(one.resource), "name": one.name, "definition": _text(one)})


def delete_policy(tx: Tx, one: Policy) -> None:
    tx.run(DELETE_POLICY, {"place": place_of(one.resource), "name": one.name})


def action(reader: Reader, resource: str, name: str) -> Action | None:
    row = reader.one(FIND_ACTION, {"place": place_of(resource), "name": name})
    return _action(row[0]) if row else None


def actions(reader: Reader, place: str, name: str, limit: int) -> list[Action]:
    """By place and name, after one."""
    return [_action(row[0]) for row in reader.all(ACTIONS, {"place": place, "name": name, "limit": limit})]


def actions_of(reader: Reader, resource: str) -> list[Action]:
    """All of one target."""
    found = actions(reader, place_of(resource), "", 1000)
    return [one for one in found if one.resource == resource]


def put_action(tx: Tx, one: Action) -> None:
    tx.run(PUT_ACTION, {"place": place_of(one.resource), "name": one.name, "definition": _text(one)})


def delete_action(tx: Tx, one: Action) -> None:
    tx.run(DELETE_ACTION, {"place": place_of(one.resource), "name": one.name})


def note(tx: Tx, one: Activity) -> None:
    """Keep an activity, and forget those that are too old."""
    row = {"id": one.id, "place": place_of(one.resource), "started_at": one.started_at, "definition": _text(one)}
    tx.run(PUT_ACTIVITY, row)
    tx.run(FORGET_ACTIVITIES, {"before": one.started_at - KEPT_S})


def activities(reader: Reader, before: float, id_: str, limit: int) -> list[Activity]:
    """The latest first, before one."""
    return [_activity(row[0]) for row in reader.all(ACTIVITIES, {"before": before, "id": id_, "limit": limit})]


def _text(value: Any) -> str:
    return _encode(value).decode()
