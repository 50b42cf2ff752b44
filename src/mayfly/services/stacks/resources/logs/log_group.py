"""AWS::Logs::LogGroup: a log group and how long it keeps events."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed, tag_changes
from mayfly.services.stacks.resources.named import Named
from mayfly.services.stacks.resources.reading import observed, tags_seen
from mayfly.services.stacks.resources.schema import INTEGER, JSON, STRING, TAGS, Ignored, Items, Refused, fields

GONE = "ResourceNotFoundException"


class LogGroup(Named):
    name = "AWS::Logs::LogGroup"
    schema = fields(
        BearerTokenAuthenticationEnabled=Refused("Requests are signed."),
        DataProtectionPolicy=Refused("Mayfly does not implement data protection policies."),
        DeletionProtectionEnabled=Refused("Mayfly does not implement deletion protection of log groups."),
        FieldIndexPolicies=Ignored("Logs are searched without indexes.", Items(JSON)),
        KmsKeyId=Refused("Mayfly has no KMS; encrypt the disk under its data."),
        LogGroupClass=STRING,
        LogGroupName=STRING,
        ResourcePolicyDocument=Refused("Mayfly implements resource policies of the account, not of single groups."),
        RetentionInDays=INTEGER,
        Tags=TAGS,
    )
    replaced_by = frozenset({"LogGroupName", "LogGroupClass"})
    attributes = frozenset({"Arn"})
    named_by = "LogGroupName"
    most_characters = 512

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return await self._find(call, self.physical_id(target, properties)) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
        said = {"logGroupClass": properties["LogGroupClass"]} if "LogGroupClass" in properties else {}
        await call.unless(
            "ResourceAlreadyExistsException",
            "logs",
            "CreateLogGroup",
            logGroupName=name,
            **said,
            **({"tags": tags} if tags else {}),
        )
        await self._retain(call, name, {}, properties)
        return Made(name, {"Arn": f"arn:aws:logs:{target.region}:{target.account}:log-group:{name}:*"})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._retain(call, made.physical_id, old, new)
        put, remove = tag_changes(old, new)
        arn = made.attributes["Arn"].removesuffix(":*")
        if put:
            await call("logs", "TagResource", resourceArn=arn, tags={tag["Key"]: tag["Value"] for tag in put})
        if remove:
            await call("logs", "UntagResource", resourceArn=arn, tagKeys=remove)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "logs", "DeleteLogGroup", logGroupName=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await self._find(call, made.physical_id)
        if found is None:
            return None
        arn = made.attributes["Arn"].removesuffix(":*")
        tags = (await call("logs", "ListTagsForResource", resourceArn=arn)).get("tags", {})
        return observed(
            properties,
            {
                "LogGroupName": found["logGroupName"],
                "LogGroupClass": found["logGroupClass"],
                "RetentionInDays": found.get("retentionInDays"),
                **tags_seen(properties, tags),
            },
            "FieldIndexPolicies",
            defaults={"LogGroupName": made.physical_id, "LogGroupClass": "STANDARD"},
        )

    async def _find(self, call: Caller, name: str) -> dict[str, Any] | None:
        reply = await call("logs", "DescribeLogGroups", logGroupNamePrefix=name)
        return next((group for group in reply.get("logGroups", ()) if group["logGroupName"] == name), None)

    async def _retain(self, call: Caller, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if not changed(old, new, "RetentionInDays"):
            return
        if "RetentionInDays" in new:
            await call("logs", "PutRetentionPolicy", logGroupName=name, retentionInDays=new["RetentionInDays"])
        else:
            await call("logs", "DeleteRetentionPolicy", logGroupName=name)
