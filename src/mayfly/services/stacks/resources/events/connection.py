"""AWS::Events::Connection: how API destinations authenticate. Its secrets go in and never come out."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, picked
from mayfly.services.stacks.resources.events.event_bus import GONE, NO_KEYS
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, Items, Refused, fields

_PRIVATE = Refused("Private connectivity is made of AWS's VPC Lattice; Mayfly has none.")
_VALUES = Items(fields("Key Value", IsValueSecret=BOOLEAN, Key=STRING, Value=STRING))
_PARAMETERS = fields(BodyParameters=_VALUES, HeaderParameters=_VALUES, QueryStringParameters=_VALUES)


class Connection(Named):
    name = "AWS::Events::Connection"
    schema = fields(
        "AuthorizationType AuthParameters",
        AuthParameters=fields(
            ApiKeyAuthParameters=fields("ApiKeyName ApiKeyValue", ApiKeyName=STRING, ApiKeyValue=STRING),
            BasicAuthParameters=fields("Username Password", Password=STRING, Username=STRING),
            ConnectivityParameters=_PRIVATE,
            InvocationHttpParameters=_PARAMETERS,
            OAuthParameters=fields(
                "ClientParameters AuthorizationEndpoint HttpMethod",
                AuthorizationEndpoint=STRING,
                ClientParameters=fields("ClientID ClientSecret", ClientID=STRING, ClientSecret=STRING),
                HttpMethod=STRING,
                OAuthHttpParameters=_PARAMETERS,
            ),
        ),
        AuthorizationType=STRING,
        Description=STRING,
        InvocationConnectivityParameters=_PRIVATE,
        KmsKeyIdentifier=NO_KEYS,
        Name=STRING,
    )
    replaced_by = frozenset({"Name"})
    attributes = frozenset({"Arn", "ArnForPolicy", "SecretArn"})
    named_by = "Name"

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless(GONE, "events", "DescribeConnection", Name=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        said = picked(properties, "AuthorizationType", "AuthParameters", "Description")
        await call.unless("ResourceAlreadyExistsException", "events", "CreateConnection", Name=name, **said)
        found = await call("events", "DescribeConnection", Name=name)
        arn = found["ConnectionArn"]
        policy = arn.rpartition("/")[0]
        return Made(name, {"Arn": arn, "ArnForPolicy": policy, "SecretArn": found["SecretArn"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        said: dict[str, Any] = {}
        if changed(old, new, "AuthorizationType", "AuthParameters"):
            said = picked(new, "AuthorizationType", "AuthParameters")
        if changed(old, new, "Description"):
            said["Description"] = new.get("Description", "")
        if said:
            await call("events", "UpdateConnection", Name=made.physical_id, **said)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "events", "DeleteConnection", Name=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "events", "DescribeConnection", Name=made.physical_id)
        if found is None:
            return None
        truth = picked(found, "Name", "AuthorizationType")
        truth |= {"Description": found.get("Description") or None}
        return observed(properties, truth, "AuthParameters", defaults={"Name": made.physical_id})
