"""Writes down the keys of pictures; greets who calls its URL."""

import os
from typing import Any

import boto3


def handler(event: dict[str, Any], context: object) -> Any:
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    for record in event.get("Records", []):
        if "s3" in record:
            table.put_item(Item={"id": record["s3"]["object"]["key"]})
    return os.environ["GREETING"]
