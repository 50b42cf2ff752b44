"""Makes room in the spool: called by an alarm, with what CloudWatch tells of it."""

import os
from datetime import UTC, datetime

import boto3

s3 = boto3.client("s3")
journal = boto3.resource("dynamodb").Table(os.environ["JOURNAL"])


def handler(event, context):
    data = event["alarmData"]
    removed = make_room(int(os.environ["MOST"]) // 2)
    journal.put_item(
        Item={
            "what": data["alarmName"],
            "at": datetime.now(UTC).isoformat(),
            "state": data["state"]["value"],
            "reason": data["state"]["reason"],
            "removed": len(removed),
        }
    )
    print("removed", len(removed), "objects, the oldest:", removed[:3])


def make_room(keep):
    """Delete all but the newest `keep` objects; the keys of those that went, oldest first."""
    bucket = os.environ["SPOOL"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    objects = [item for page in pages for item in page.get("Contents", [])]
    objects.sort(key=lambda item: (item["LastModified"], item["Key"]))
    doomed = [item["Key"] for item in objects[: max(len(objects) - keep, 0)]]
    for start in range(0, len(doomed), 1000):
        keys = [{"Key": key} for key in doomed[start : start + 1000]]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    return doomed
