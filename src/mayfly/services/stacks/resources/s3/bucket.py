"""AWS::S3::Bucket: a bucket, whom it tells of what happens, and the documents that it has.

A bucket that still holds objects is not deleted, as on AWS: the deletion fails and says so.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, changed
from mayfly.services.stacks.resources.reading import like, observed, tags_seen
from mayfly.services.stacks.resources.s3.documents import DOCUMENTS, Document
from mayfly.services.stacks.resources.s3.notifications import NOTIFICATIONS, notification, notification_seen
from mayfly.services.stacks.resources.s3.unserved import UNSERVED
from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, STRING, STRINGS, TAGS, Items, fields

GONE = "NoSuchBucket 404 NotFound"
_CORS = fields(
    "AllowedMethods AllowedOrigins",
    AllowedHeaders=STRINGS,
    AllowedMethods=STRINGS,
    AllowedOrigins=STRINGS,
    ExposedHeaders=STRINGS,
    Id=STRING,
    MaxAge=INTEGER,
)
_ACLS = {
    "AuthenticatedRead": "authenticated-read",
    "AwsExecRead": "aws-exec-read",
    "BucketOwnerFullControl": "bucket-owner-full-control",
    "BucketOwnerRead": "bucket-owner-read",
    "LogDeliveryWrite": "log-delivery-write",
    "Private": "private",
    "PublicRead": "public-read",
    "PublicReadWrite": "public-read-write",
}
# What every bucket has at first, and what is suspended where it was said once.
_AT_FIRST = {
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "PublicAccessBlockConfiguration": dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    ),
    "VersioningConfiguration": {"Status": "Suspended"},
}


class Bucket:
    name = "AWS::S3::Bucket"
    schema = fields(
        "",
        AccessControl=STRING,
        BucketName=STRING,
        CorsConfiguration=fields("CorsRules", CorsRules=Items(_CORS)),
        NotificationConfiguration=NOTIFICATIONS,
        OwnershipControls=fields("Rules", Rules=Items(fields("ObjectOwnership", ObjectOwnership=STRING))),
        PublicAccessBlockConfiguration=fields(
            BlockPublicAcls=BOOLEAN,
            BlockPublicPolicy=BOOLEAN,
            IgnorePublicAcls=BOOLEAN,
            RestrictPublicBuckets=BOOLEAN,
        ),
        Tags=TAGS,
        VersioningConfiguration=fields("Status", Status=STRING),
        **UNSERVED,
    )
    replaced_by = frozenset({"BucketName"})
    attributes = frozenset({"Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(63, lower=True)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("BucketName")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        bucket = self.physical_id(target, properties)
        return await call.unless(GONE, "s3", "GetBucketLocation", Bucket=bucket) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        bucket = self.physical_id(target, properties)
        parameters: dict[str, Any] = {}
        if target.region != "us-east-1":
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": target.region}
        if "AccessControl" in properties:
            parameters["ACL"] = _ACLS.get(properties["AccessControl"], properties["AccessControl"])
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

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        bucket = made.physical_id
        if await call.unless(GONE, "s3", "GetBucketLocation", Bucket=bucket) is None:
            return None
        truth: dict[str, Any] = {"BucketName": bucket}
        for document in DOCUMENTS:
            found = await call.unless(document.none, "s3", f"Get{document.operation}", Bucket=bucket)
            truth[document.name] = None if found is None else document.seen(properties, found)
        tagging = await call.unless("NoSuchTagSet", "s3", "GetBucketTagging", Bucket=bucket)
        truth |= {} if tagging is None else tags_seen(properties, tagging["TagSet"])
        versioning = await call("s3", "GetBucketVersioning", Bucket=bucket)
        truth["VersioningConfiguration"] = {"Status": versioning["Status"]} if "Status" in versioning else None
        told = await call("s3", "GetBucketNotificationConfiguration", Bucket=bucket)
        given = properties.get("NotificationConfiguration", {})
        truth["NotificationConfiguration"] = notification_seen(given, told) or None
        # The service fills in what a public access block leaves out.
        block = truth["PublicAccessBlockConfiguration"]
        given = properties.get("PublicAccessBlockConfiguration")
        truth["PublicAccessBlockConfiguration"] = like(given, block) if given is not None else block
        return observed(properties, truth, "AccessControl", *UNSERVED, defaults={"BucketName": bucket, **_AT_FIRST})

    async def _configure(self, call: Caller, bucket: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if changed(old, new, "VersioningConfiguration"):
            status = new.get("VersioningConfiguration", {"Status": "Suspended"})["Status"]
            await call("s3", "PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": status})
        if changed(old, new, "Tags"):
            if new.get("Tags"):
                await call("s3", "PutBucketTagging", Bucket=bucket, Tagging={"TagSet": new["Tags"]})
            else:
                await call("s3", "DeleteBucketTagging", Bucket=bucket)
        for document in DOCUMENTS:
            if changed(old, new, document.name):
                await self._put(call, bucket, document, new)
        if changed(old, new, "NotificationConfiguration"):
            await call(
                "s3",
                "PutBucketNotificationConfiguration",
                Bucket=bucket,
                NotificationConfiguration=notification(new.get("NotificationConfiguration", {})),
            )

    async def _put(self, call: Caller, bucket: str, document: Document, new: Mapping[str, Any]) -> None:
        """Put one document of the bucket, or delete it where the template has none."""
        if new.get(document.name):
            value = {document.member: document.said(new[document.name])}
            await call("s3", f"Put{document.operation}", Bucket=bucket, **value)
        else:
            await call("s3", f"Delete{document.operation}", Bucket=bucket)

    def _made(self, target: Target, bucket: str) -> Made:
        return Made(
            bucket,
            {
                "Arn": f"arn:aws:s3:::{bucket}",
                "DomainName": f"{bucket}.s3.amazonaws.com",
                "DualStackDomainName": f"{bucket}.s3.dualstack.{target.region}.amazonaws.com",
                "RegionalDomainName": f"{bucket}.s3.{target.region}.amazonaws.com",
                "WebsiteURL": f"http://{bucket}.s3-website-{target.region}.amazonaws.com",
            },
        )
