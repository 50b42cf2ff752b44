"""API keys without their values, usage plans and what was used of them, as rows.

All of this runs inside the caller's transaction.
"""

import msgspec

from mayfly.services.apis.rest import statements as sql
from mayfly.services.apis.rest.catalog import text
from mayfly.services.apis.rest.model import ApiKey, UsagePlan
from mayfly.store.api import Reader, Tx

decoded_key = msgspec.json.Decoder(ApiKey).decode
_plan = msgspec.json.Decoder(UsagePlan).decode
NEWEST = 1e12  # a time after all others


def key(reader: Reader, key_id: str) -> ApiKey | None:
    row = reader.one(sql.FIND_KEY, {"id": key_id})
    return decoded_key(row[0]) if row else None


def keys(reader: Reader, limit: int) -> list[ApiKey]:
    """The latest first."""
    return [decoded_key(row[0]) for row in reader.all(sql.KEYS, {"before": NEWEST, "after": "", "limit": limit})]


def change_key(tx: Tx, changed: ApiKey) -> None:
    tx.run(sql.CHANGE_KEY, {"id": changed.id, "definition": text(changed)})


def delete_key(tx: Tx, key_id: str) -> None:
    tx.run(sql.DELETE_KEYS_PLANS, {"key_id": key_id})
    tx.run(sql.DELETE_KEY, {"id": key_id})


def plan(reader: Reader, plan_id: str) -> UsagePlan | None:
    row = reader.one(sql.FIND_PLAN, {"id": plan_id})
    return _plan(row[0]) if row else None


def plans(reader: Reader, after: str, limit: int) -> list[UsagePlan]:
    """By id, after one."""
    return [_plan(row[0]) for row in reader.all(sql.PLANS, {"after": after, "limit": limit})]


def plans_of(reader: Reader, key_id: str) -> list[UsagePlan]:
    """Those that a key is in."""
    return [_plan(row[0]) for row in reader.all(sql.PLANS_OF_KEY, {"key_id": key_id})]


def put_plan(tx: Tx, value: UsagePlan) -> None:
    tx.run(sql.PUT_PLAN, {"id": value.id, "definition": text(value)})


def delete_plan(tx: Tx, plan_id: str) -> None:
    """With what was counted."""
    tx.run(sql.DELETE_USED, {"plan_id": plan_id})
    tx.run(sql.DELETE_PLANS_KEYS, {"plan_id": plan_id})
    tx.run(sql.DELETE_PLAN, {"id": plan_id})


def has_key(reader: Reader, plan_id: str, key_id: str) -> bool:
    return reader.one(sql.FIND_PLAN_KEY, {"plan_id": plan_id, "key_id": key_id}) is not None


def keys_of(reader: Reader, plan_id: str, limit: int) -> list[ApiKey]:
    """Those of a plan, the latest first."""
    return [decoded_key(row[0]) for row in reader.all(sql.KEYS_OF_PLAN, {"plan_id": plan_id, "limit": limit})]


def add_key(tx: Tx, plan_id: str, key_id: str) -> None:
    tx.run(sql.PUT_PLAN_KEY, {"plan_id": plan_id, "key_id": key_id})


def remove_key(tx: Tx, plan_id: str, key_id: str) -> None:
    tx.run(sql.DELETE_PLAN_KEY, {"plan_id": plan_id, "key_id": key_id})


def used(reader: Reader, plan_id: str, key_id: str, first: str, last: str) -> tuple[int, int]:
    """How many requests were counted from one day to another, both included; and how many were granted beyond."""
    row = reader.one(sql.USED_BY, {"plan_id": plan_id, "key_id": key_id, "first": first, "last": last})
    return (int(row[0]), int(row[1])) if row else (0, 0)


def used_by_day(reader: Reader, plan_id: str, first: str, last: str) -> dict[str, dict[str, tuple[int, int]]]:
    """Likewise, by key and day."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for key_id, day, count, granted in reader.all(sql.USED, {"plan_id": plan_id, "first": first, "last": last}):
        found.setdefault(key_id, {})[day] = (count, granted)
    return found


def add_used(tx: Tx, plan_id: str, key_id: str, day: str, count: int, granted: int = 0) -> None:
    row = {"plan_id": plan_id, "key_id": key_id, "day": day, "used": count, "granted": granted}
    tx.run(sql.ADD_USED, row)
