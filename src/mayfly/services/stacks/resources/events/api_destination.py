"""AWS::Events::ApiDestination: an endpoint of the web that rules and pipes send events to."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.events.event_bus import GONE
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import INTEGER, STRING, fields

_RATE = "InvocationRateLimitPerSecond"
_DEFAULT_RATE = 300
_SAID = ("ConnectionArn", "InvocationEndpoint", "HttpMethod")


class ApiDestination(Named):
    name = "AWS::Events::ApiDestination"
    schema = fields(
        "ConnectionArn InvocationEndpoint HttpMethod",
        ConnectionArn=STRING,
        Description=STRING,
        HttpMethod=STRING,
        InvocationEndpoint=STRING,
        InvocationRateLimitPerSecond=INTEGER,
        Name=STRING,
    )
    replaced_by = frozenset({"Name"})
    attributes = frozenset({"Arn", "ArnForPolicy"})
    named_by = "Name"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(GONE, "events", "DescribeApiDestination", Name=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        said = picked(properties, *_SAID, _RATE, "Description")
        await call.unless("ResourceAlreadyExistsException", "events", "CreateApiDestination", Name=name, **said)
        arn = (await call("events", "DescribeApiDestination", Name=name))["ApiDestinationArn"]
        return Made(name, {"Arn": arn, "ArnForPolicy": arn.rpartition("/")[0]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        said = {_RATE: _DEFAULT_RATE, "Description": ""} | picked(new, *_SAID, _RATE, "Description")
        await call("events", "UpdateApiDestination", Name=made.physical_id, **said)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "events", "DeleteApiDestination", Name=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "events", "DescribeApiDestination", Name=made.physical_id)
        if found is None:
            return None
        truth = picked(found, "Name", *_SAID, _RATE) | {"Description": found.get("Description") or None}
        return observed(properties, truth, defaults={"Name": made.physical_id, _RATE: _DEFAULT_RATE})
