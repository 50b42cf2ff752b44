"""AWS::IAM::ManagedPolicy: a policy that stands alone. Another document is another version, and the default one."""

from collections.abc import Mapping
from typing import Any

from mayfly.clock import iso_millis
from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.iam import grants
from mayfly.services.stacks.resources.iam.grants import GONE, KINDS, document_of, text
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import JSON, STRING, STRINGS, fields

_MOST_VERSIONS = 5
_NUMBERS = ("AttachmentCount", "PermissionsBoundaryUsageCount", "IsAttachable", "PolicyId", "DefaultVersionId")


class ManagedPolicy:
    name = "AWS::IAM::ManagedPolicy"
    schema = fields(
        "PolicyDocument",
        Description=STRING,
        Groups=STRINGS,
        ManagedPolicyName=STRING,
        Path=STRING,
        PolicyDocument=JSON,
        Roles=STRINGS,
        Users=STRINGS,
    )
    replaced_by = frozenset({"ManagedPolicyName", "Description", "Path"})
    attributes = frozenset({"PolicyArn", "CreateDate", "UpdateDate", *_NUMBERS})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        name = self.custom_name(properties) or target.name(128)
        return f"arn:aws:iam::{target.account}:policy{properties.get('Path', '/')}{name}"

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("ManagedPolicyName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        arn = self.physical_id(target, properties)
        return await call.unless(GONE, "iam", "GetPolicy", PolicyArn=arn) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        arn = self.physical_id(target, properties)
        await call.unless(
            "EntityAlreadyExists",
            "iam",
            "CreatePolicy",
            PolicyName=arn.rpartition("/")[2],
            PolicyDocument=text(properties["PolicyDocument"]),
            **picked(properties, "Description", "Path"),
        )
        await self._attach(call, arn, {}, properties)
        return await self._made(call, arn)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._say(call, made.physical_id, new["PolicyDocument"])
        await self._attach(call, made.physical_id, old, new)
        return await self._made(call, made.physical_id)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        arn = made.physical_id
        await self._attach(call, arn, properties, {})
        for version in await self._versions(call, arn):
            if not version["IsDefaultVersion"]:
                id_ = version["VersionId"]
                await call.unless(GONE, "iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=id_)
        await call.unless(GONE, "iam", "DeletePolicy", PolicyArn=arn)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        arn = made.physical_id
        reply = await call.unless(GONE, "iam", "GetPolicy", PolicyArn=arn)
        if reply is None:
            return None
        found = reply["Policy"]
        document = await self._document(call, arn, found["DefaultVersionId"])
        lists = {}
        for member, kind in KINDS.items():
            given = properties.get(member, ())
            lists[member] = [one for one in given if arn in await grants.attached(call, kind, one)] or None
        return observed(
            properties,
            {
                "ManagedPolicyName": found["PolicyName"],
                **picked(found, "Path", "Description"),
                "PolicyDocument": document_of(properties["PolicyDocument"], document),
                **lists,
            },
            defaults={"ManagedPolicyName": arn.rpartition("/")[2], "Path": "/"},
        )

    async def _say(self, call: Caller, arn: str, wanted: Any) -> None:
        """Let the default version say `wanted`: one that does already, which comes first after a change was taken
        back, or else a new one in place of the oldest."""
        versions = await self._versions(call, arn)
        for version in versions:
            found = await self._document(call, arn, version["VersionId"])
            if text(document_of(wanted, found)) == text(wanted):
                if not version["IsDefaultVersion"]:
                    id_ = version["VersionId"]
                    await call("iam", "SetDefaultPolicyVersion", PolicyArn=arn, VersionId=id_)
                return
        if len(versions) == _MOST_VERSIONS:
            oldest = [version["VersionId"] for version in versions if not version["IsDefaultVersion"]][-1]
            await call.unless(GONE, "iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=oldest)
        await call("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=text(wanted), SetAsDefault=True)

    async def _versions(self, call: Caller, arn: str) -> list[dict[str, Any]]:
        """Newest first; none of a policy that is gone."""
        reply = await call.unless(GONE, "iam", "ListPolicyVersions", PolicyArn=arn)
        return [] if reply is None else reply["Versions"]

    async def _document(self, call: Caller, arn: str, version: str) -> Any:
        reply = await call("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=version)
        return reply["PolicyVersion"]["Document"]

    async def _attach(self, call: Caller, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for member, kind in KINDS.items():
            for owner in grants.gone_from(old, new, member):
                await grants.detach(call, kind, owner, arn)
            for owner in grants.new_in(old, new, member):
                await grants.attach(call, kind, owner, arn)

    async def _made(self, call: Caller, arn: str) -> Made:
        found = (await call("iam", "GetPolicy", PolicyArn=arn))["Policy"]
        times = {name: iso_millis(found[name].timestamp()) for name in ("CreateDate", "UpdateDate")}
        return Made(arn, {"PolicyArn": arn, **picked(found, *_NUMBERS), **times})
