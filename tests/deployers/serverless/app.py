"""Notes: put by HTTP or by a queue, got by HTTP."""

import json
import os
from typing import Any

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def put(event: dict[str, Any], context: object) -> dict[str, Any]:
    table.put_item(Item={"id": event["pathParameters"]["id"], "text": event["body"]})
    return {"statusCode": 201}


def get(event: dict[str, Any], context: object) -> dict[str, Any]:
    item = table.get_item(Key={"id": event["pathParameters"]["id"]}).get("Item")
    return {"statusCode": 200, "body": json.dumps(item)} if item else {"statusCode": 404}


def work(event: dict[str, Any], context: object) -> None:
    for record in event.get("Records", []):
        table.put_item(Item={"id": record["body"], "text": "by queue"})
