"""Buckets and tables: how they are set up, not what they hold."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.things import Name, Reading, Thing, said, tags_of, unless
from mayfly.cli.templates import ARTIFACTS

BUCKET, TABLE = "AWS::S3::Bucket", "AWS::DynamoDB::Table"
_GLOBAL = "AWS::DynamoDB::GlobalTable"
_NOTIFIED = {
    "TopicConfigurations": ("TopicArn", "Topic"),
    "QueueConfigurations": ("QueueArn", "Queue"),
    "LambdaFunctionConfigurations": ("LambdaFunctionArn", "Function"),
}
_OPEN = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def buckets(reading: Reading) -> Iterator[Thing]:
    for listed in reading.pages("s3", "list_buckets", "Buckets"):
        name = listed["Name"]
        if name.startswith(f"{ARTIFACTS}-"):  # what deployments uploaded
            continue
        if reading.is_held(BUCKET, name):
            continue
        yield _bucket(reading, name)
        yield from _policy(reading, name)


def _bucket(reading: Reading, name: str) -> Thing:
    s3 = reading.client("s3")
    properties: dict[str, Any] = {"BucketName": name}
    versioning = s3.get_bucket_versioning(Bucket=name).get("Status")
    if versioning:
        properties["VersioningConfiguration"] = {"Status": versioning}
    if (cors := unless("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=name)) is not None:
        properties["CorsConfiguration"] = {"CorsRules": [_cors(rule) for rule in cors["CORSRules"]]}
    gone = "NoSuchPublicAccessBlockConfiguration"
    if (block := unless(gone, s3.get_public_access_block, Bucket=name)) is not None:
        found = block["PublicAccessBlockConfiguration"]
        if found != _OPEN:  # what AWS begins with
            properties["PublicAccessBlockConfiguration"] = found
    gone = "OwnershipControlsNotFoundError"
    if (owned := unless(gone, s3.get_bucket_ownership_controls, Bucket=name)) is not None:
        rules = [{"ObjectOwnership": rule["ObjectOwnership"]} for rule in owned["OwnershipControls"]["Rules"]]
        if rules != [{"ObjectOwnership": "BucketOwnerEnforced"}]:
            properties["OwnershipControls"] = {"Rules": rules}
    if (tagging := unless("NoSuchTagSet", s3.get_bucket_tagging, Bucket=name)) is not None:
        properties |= tags_of(tagging["TagSet"])
    told = _notifications(s3.get_bucket_notification_configuration(Bucket=name))
    if told:
        properties["NotificationConfiguration"] = told
    return Thing(BUCKET, name, name, properties, {"Arn": f"arn:aws:s3:::{name}"})


def _cors(rule: Mapping[str, Any]) -> dict[str, Any]:
    kept = said(rule, "AllowedHeaders AllowedMethods AllowedOrigins")
    kept |= {"ExposedHeaders": rule["ExposeHeaders"]} if rule.get("ExposeHeaders") else {}
    kept |= {"MaxAge": rule["MaxAgeSeconds"]} if "MaxAgeSeconds" in rule else {}
    return kept | ({"Id": rule["ID"]} if "ID" in rule else {})


def _notifications(found: Mapping[str, Any]) -> dict[str, Any]:
    """As a template has them: one event each, rules of filters under another name."""
    told: dict[str, Any] = {}
    for group, (theirs, ours) in _NOTIFIED.items():
        member = "LambdaConfigurations" if group.startswith("Lambda") else group
        for one in found.get(group, ()):
            rules = one.get("Filter", {}).get("Key", {}).get("FilterRules", ())
            only = [{"Name": rule["Name"].lower(), "Value": rule["Value"]} for rule in rules]
            for event in one["Events"]:
                entry = {"Event": event, ours: one[theirs]}
                told.setdefault(member, []).append(entry | ({"Filter": {"S3Key": {"Rules": only}}} if only else {}))
    if "EventBridgeConfiguration" in found:
        told["EventBridgeConfiguration"] = {"EventBridgeEnabled": True}
    return told


def _policy(reading: Reading, name: str) -> Iterator[Thing]:
    found = unless("NoSuchBucketPolicy", reading.client("s3").get_bucket_policy, Bucket=name)
    if found is not None:
        properties = {"Bucket": Name(BUCKET, name), "PolicyDocument": json.loads(found["Policy"])}
        yield Thing("AWS::S3::BucketPolicy", f"{name} policy", "", properties)


def tables(reading: Reading) -> Iterator[Thing]:
    client = reading.client("dynamodb")
    for name in reading.pages("dynamodb", "list_tables", "TableNames"):
        if reading.is_held(TABLE, name) or reading.is_held(_GLOBAL, name):
            continue
        found = client.describe_table(TableName=name)["Table"]
        on_demand = found.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
        properties = {"TableName": name, **said(found, "AttributeDefinitions KeySchema OnDemandThroughput")}
        if on_demand:
            properties["BillingMode"] = "PAY_PER_REQUEST"
        else:
            properties["ProvisionedThroughput"] = _throughput(found)
        for member in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            indexes = [_index(one, on_demand or member.startswith("Local")) for one in found.get(member, ())]
            properties |= {member: indexes} if indexes else {}
        if found.get("StreamSpecification", {}).get("StreamEnabled"):
            properties["StreamSpecification"] = said(found["StreamSpecification"], "StreamViewType")
        if found.get("DeletionProtectionEnabled"):
            properties["DeletionProtectionEnabled"] = True
        if (table_class := found.get("TableClassSummary", {}).get("TableClass", "STANDARD")) != "STANDARD":
            properties["TableClass"] = table_class
        expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if expiry["TimeToLiveStatus"].startswith("ENABL"):
            properties["TimeToLiveSpecification"] = {"AttributeName": expiry["AttributeName"], "Enabled": True}
        tags = reading.pages("dynamodb", "list_tags_of_resource", "Tags", ResourceArn=found["TableArn"])
        properties |= tags_of(list(tags))
        stream = {"StreamArn": found["LatestStreamArn"]} if found.get("LatestStreamArn") else {}
        arns = {"Arn": found["TableArn"], **stream}
        yield Thing(TABLE, name, name, properties, arns, unforeseen=frozenset(stream))


def _index(found: Mapping[str, Any], shared: bool) -> dict[str, Any]:
    kept = said(found, "IndexName KeySchema Projection")
    return kept if shared else kept | {"ProvisionedThroughput": _throughput(found)}


def _throughput(found: Mapping[str, Any]) -> dict[str, int]:
    return {name: found["ProvisionedThroughput"][name] for name in ("ReadCapacityUnits", "WriteCapacityUnits")}
