"""AWS::S3::Bucket: a bucket, its notifications to functions, its tags, CORS, ownership and public access.

A bucket that still holds objects is not deleted, as on AWS: the deletion fails and says so.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, STRINGS, TAGS, Items, fields

_FILTER = fields(S3Key=fields("Rules", Rules=Items(fields("Name Value", Name=STRING, Value=STRING))))
_CORS = fields(
    "AllowedMethods AllowedOrigins",
    AllowedHeaders=STRINGS,
    AllowedMethods=STRINGS,
    AllowedOrigins=STRINGS,
    ExposedHeaders=STRINGS,
    Id=STRING,
    MaxAge=INTEGER,
)
# What a CORS rule's members are called in the S3 API, where that differs.
_CORS_NAMES = {"ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}
_LAMBDA = fields("Event Function", Event=STRING, Function=STRING, Filter=_FILTER)


class Bucket:
    name = "AWS::S3::Bucket"
    schema = fields(
        BucketName=STRING,
        NotificationConfiguration=fields(LambdaConfigurations=Items(_LAMBDA)),
        Tags=TAGS,
        CorsConfiguration=fields("CorsRules", CorsRules=Items(_CORS)),
        OwnershipControls=fields("Rules", Rules=Items(fields("ObjectOwnership", ObjectOwnership=STRING))),
        PublicAccessBlockConfiguration=fields(
            BlockPublicAcls=BOOLEAN,
            BlockPublicPolicy=BOOLEAN,
            IgnorePublicAcls=BOOLEAN,
            RestrictPublicBuckets=BOOLEAN,
        ),
    )
    replaced_by = frozenset({"BucketName"})
    attributes = frozenset({"Arn", "DomainName", "RegionalDomainName", "WebsiteURL"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(63, lower=True)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("BucketName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        bucket = self.physical_id(target, properties)
        return await call.unless("NoSuchBucket 404 NotFound", "s3", "GetBucketLocation", Bucket=bucket) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        bucket = self.physical_id(target, properties)
        place = {} if target.region == "us-east-1" else {"LocationConstraint": target.region}
        parameters = {"CreateBucketConfiguration": place} if place else {}
        await call.unless("BucketAlreadyOwnedByYou", "s3", "CreateBucket", Bucket=bucket, **parameters)
        await self._configure(call, bucket, {}, properties)
        return self._made(target, bucket)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self._configure(call, made.physical_id, old, new)
        return self._made(target, made.physical_id)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless("NoSuchBucket", "s3", "DeleteBucket", Bucket=made.physical_id)

    async def _configure(self, call: Caller, bucket: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        await self._set(call, bucket, old, new, "Tags", "BucketTagging", "Tagging", {"TagSet": new.get("Tags")})
        rules = [
            {_CORS_NAMES.get(name, name): value for name, value in rule.items()}
            for rule in new.get("CorsConfiguration", {}).get("CorsRules", ())
        ]
        await self._set(
            call, bucket, old, new, "CorsConfiguration", "BucketCors", "CORSConfiguration", {"CORSRules": rules}
        )
        for name, operation in (
            ("OwnershipControls", "BucketOwnershipControls"),
            ("PublicAccessBlockConfiguration", "PublicAccessBlock"),
        ):
            await self._set(call, bucket, old, new, name, operation, name, new.get(name))
        if changed(old, new, "NotificationConfiguration"):
            await call(
                "s3",
                "PutBucketNotificationConfiguration",
                Bucket=bucket,
                NotificationConfiguration=notification(new.get("NotificationConfiguration", {})),
            )

    async def _set(
        self,
        call: Caller,
        bucket: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        name: str,
        operation: str,
        member: str,
        value: Any,
    ) -> None:
        """Put or delete one side of the bucket, if property `name` differs."""
        if not changed(old, new, name):
            return
        if new.get(name):
            await call("s3", f"Put{operation}", Bucket=bucket, **{member: value})
        else:
            await call("s3", f"Delete{operation}", Bucket=bucket)

    def _made(self, target: Target, bucket: str) -> Made:
        return Made(
            bucket,
            {
                "Arn": f"arn:aws:s3:::{bucket}",
                "DomainName": f"{bucket}.s3.amazonaws.com",
                "RegionalDomainName": f"{bucket}.s3.{target.region}.amazonaws.com",
                "WebsiteURL": f"http://{bucket}.s3-website-{target.region}.amazonaws.com",
            },
        )


def notification(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation's form of a notification configuration in that of the S3 API."""
    functions = []
    for item in configuration.get("LambdaConfigurations", ()):
        entry: dict[str, Any] = {"LambdaFunctionArn": item["Function"], "Events": [item["Event"]]}
        if "S3Key" in item.get("Filter", {}):
            entry["Filter"] = {"Key": {"FilterRules": item["Filter"]["S3Key"]["Rules"]}}
        functions.append(entry)
    return {"LambdaFunctionConfigurations": functions} if functions else {}
