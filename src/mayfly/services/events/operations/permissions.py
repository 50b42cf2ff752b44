"""The resource policy of a bus: PutPermission and RemovePermission."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.ids import PARTITION
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.events import errors, policies, records
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.model import Bus, BusKey
from mayfly.services.events.names import bus_key
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events

MAX_POLICY_CHARACTERS = 10_240


class PermissionOperations:
    """Statement by statement, or the whole policy at once."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog

    @operation("PutPermission")
    async def put(self, context: RequestContext, request: "events.PutPermissionRequestTypeDef") -> dict[str, Any]:
        key = bus_key(context, request.get("EventBusName"))
        whole = None if "Policy" not in request else _checked(request["Policy"])
        statement = _statement(key, request) if whole is None else _part(whole, request)

        def body(tx: Tx) -> None:
            bus = records.bus_of(tx, key)
            policy = whole or ""
            if statement is not None:
                kept = [one for one in policies.statements(bus.policy) if one.get("Sid") != statement["Sid"]]
                policy = policies.document([*kept, statement])
            if len(policy) > MAX_POLICY_CHARACTERS:
                raise ServiceError("PolicyLengthExceededException", "The event bus policy is too long.")
            self._put(tx, key, bus, policy)

        await self._store.write(body)
        return {}

    @operation("RemovePermission")
    async def remove(self, context: RequestContext, request: "events.RemovePermissionRequestTypeDef") -> dict[str, Any]:
        key = bus_key(context, request.get("EventBusName"))
        sid, everything = request.get("StatementId"), request.get("RemoveAllPermissions", False)
        if sid is None and not everything:
            raise errors.invalid("Parameter StatementId is not valid. Reason: StatementId is a required argument.")

        def body(tx: Tx) -> None:
            bus = records.bus_of(tx, key)
            kept: list[dict[str, Any]] = []
            if not everything:
                before = policies.statements(bus.policy)
                kept = [one for one in before if one.get("Sid") != sid]
                if len(kept) == len(before):
                    raise errors.not_found("Statement with the provided id does not exist.")
            self._put(tx, key, bus, policies.document(kept) if kept else None)

        await self._store.write(body)
        return {}

    def _put(self, tx: Tx, key: BusKey, bus: Bus, policy: str | None) -> None:
        now = self._clock.now()
        changed = msgspec.structs.replace(bus, policy=policy, created_at=bus.created_at or now, modified_at=now)
        records.put_bus(tx, key, changed)
        tx.after_commit(lambda: self._catalog.changed(key, lambda loaded: loaded.set_policy(policy)))


def _part(policy: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one statement of a policy that is to take the place of the statement of an id, as stacks ask for it; None
    where the whole policy is put."""
    if "StatementId" not in request:
        return None
    found = policies.statements(policy)
    if [one.get("Sid") for one in found] != [request["StatementId"]]:
        raise errors.invalid("Parameter Policy is not valid. Reason: it is to be the statement of the StatementId.")
    return found[0]


def _checked(text: str) -> str:
    """A policy as it was given; ValidationException for what is none, or denies by conditions that are not known."""
    try:
        policies.check(text)
    except ValueError as error:
        raise errors.invalid(f"Parameter Policy is not valid. Reason: {error}.") from None
    return text


def _statement(key: BusKey, request: Mapping[str, Any]) -> dict[str, Any]:
    missing = [member for member in ("Action", "Principal", "StatementId") if member not in request]
    if missing:
        raise errors.invalid(f"Parameter(s) {', '.join(missing)} must be specified.")
    principal = request["Principal"]
    statement: dict[str, Any] = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:{PARTITION}:iam::{principal}:root"},
        "Action": request["Action"],
        "Resource": key.arn,
    }
    condition = request.get("Condition")
    if condition is not None:
        if (condition["Type"], condition["Key"]) != ("StringEquals", "aws:PrincipalOrgID"):
            raise errors.invalid(
                "Parameter Condition is not valid. Reason: it is StringEquals with aws:PrincipalOrgID."
            )
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement
