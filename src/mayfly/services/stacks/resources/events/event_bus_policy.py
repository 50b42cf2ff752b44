"""AWS::Events::EventBusPolicy: one statement of the policy of a bus, which may have others."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.events.event_bus import GONE
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import JSON, STRING, PropertyError, fields

_SAID = ("Action", "Principal", "Condition")


class EventBusPolicy:
    name = "AWS::Events::EventBusPolicy"
    schema = fields(
        "StatementId",
        Action=STRING,
        Condition=fields(Key=STRING, Type=STRING, Value=STRING),
        EventBusName=STRING,
        Principal=STRING,
        Statement=JSON,
        StatementId=STRING,
    )
    replaced_by = frozenset({"EventBusName", "StatementId"})
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return f"{_bus(properties)}|{properties['StatementId']}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return f"{_bus(properties)}|{properties['StatementId']}"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._statement(call, properties) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put(call, properties)
        return Made(self.physical_id(target, properties))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(
            GONE,
            "events",
            "RemovePermission",
            EventBusName=_bus(properties),
            StatementId=properties["StatementId"],
        )

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await self._statement(call, properties)
        if found is None:
            return None
        if "Statement" in properties:
            given = {"Sid": properties["StatementId"], **_object(properties["Statement"])}
            truth = {"Statement": properties["Statement"] if given == found else found}
        else:
            principal = found.get("Principal", {})
            account = principal if isinstance(principal, str) else str(principal.get("AWS", "")).split(":")[4]
            truth = {"Action": found.get("Action"), "Principal": account}
        return observed(properties, truth, "EventBusName", "StatementId", "Condition")

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> None:
        place = {"EventBusName": _bus(properties), "StatementId": properties["StatementId"]}
        if "Statement" in properties:
            statement = {**_object(properties["Statement"]), "Sid": properties["StatementId"]}
            document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            await call("events", "PutPermission", **place, Policy=document)
        else:
            await call("events", "PutPermission", **place, **picked(properties, *_SAID))

    async def _statement(self, call: Caller, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        found = await call.unless(GONE, "events", "DescribeEventBus", Name=_bus(properties))
        if found is None or "Policy" not in found:
            return None
        statements = json.loads(found["Policy"])["Statement"]
        every = statements if isinstance(statements, list) else [statements]
        return next((one for one in every if one.get("Sid") == properties["StatementId"]), None)


def _bus(properties: Mapping[str, Any]) -> str:
    return str(properties.get("EventBusName", "default"))


def _object(statement: Any) -> dict[str, Any]:
    found = json.loads(statement) if isinstance(statement, str) else statement
    if not isinstance(found, dict):
        raise PropertyError("#/Statement: expected type: Object")
    return found
