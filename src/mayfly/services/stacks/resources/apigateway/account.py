"""AWS::ApiGateway::Account and ::ClientCertificate: the role that logs are written by, and certificates of the API.

There is one account: deleting the resource leaves its settings as they are, as on AWS. Mayfly writes logs without the
role, which is recorded only.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE, Patch
from mayfly.services.stacks.resources.apigateway.tagging import retag, tags_in
from mayfly.services.stacks.resources.base import Caller, Made, Target, changed
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed, tags_seen
from mayfly.services.stacks.resources.schema import STRING, TAGS, fields


class Account(Unnamed):
    name = "AWS::ApiGateway::Account"
    schema = fields("", CloudWatchRoleArn=STRING)
    replaced_by: frozenset[str] = frozenset()
    attributes = frozenset({"Id"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put(call, properties)
        name = self.physical_id(target, properties)
        return Made(name, {"Id": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._put(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        """The settings stay."""

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call("apigateway", "GetAccount")
        return observed(properties, {"CloudWatchRoleArn": found.get("cloudwatchRoleArn")})

    async def _put(self, call: Caller, properties: Mapping[str, Any]) -> None:
        role = properties.get("CloudWatchRoleArn")
        patch: Patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role or ""}
        await call("apigateway", "UpdateAccount", patchOperations=[patch])


class ClientCertificate(Unnamed):
    name = "AWS::ApiGateway::ClientCertificate"
    schema = fields("", Description=STRING, Tags=TAGS)
    replaced_by: frozenset[str] = frozenset()
    attributes = frozenset({"ClientCertificateId"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        description = {"description": properties["Description"]} if "Description" in properties else {}
        made = await call.once(target, "apigateway", "GenerateClientCertificate", **description, **tags_in(properties))
        return Made(made["clientCertificateId"], {"ClientCertificateId": made["clientCertificateId"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        where = {"clientCertificateId": made.physical_id}
        if changed(old, new, "Description"):
            patch = {"op": "replace", "path": "/description", "value": new.get("Description", "")}
            await call("apigateway", "UpdateClientCertificate", **where, patchOperations=[patch])
        await retag(call, target, f"/clientcertificates/{made.physical_id}", old, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteClientCertificate", clientCertificateId=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        where = {"clientCertificateId": made.physical_id}
        found = await call.unless(GONE, "apigateway", "GetClientCertificate", **where)
        if found is None:
            return None
        truth = {"Description": found.get("description") or None}
        return observed(properties, truth) | tags_seen(properties, found.get("tags", {}))
