"""From a video that was uploaded to a task for each of its renditions."""

import json
import os
from base64 import b64encode
from urllib.parse import unquote_plus

import boto3

functions = boto3.client("lambda")
URGENT = 50


def handler(event, context):
    failed = []
    for message in event["Records"]:
        try:
            for record in json.loads(message["body"]).get("Records", []):  # none in the one that tests the queue
                plan(record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
        except Exception as error:
            print("not planned:", repr(error))
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def plan(bucket, key):
    """The smaller, the sooner: somebody waits for the first picture. What is urgent goes before all else."""
    for height in sorted(map(int, os.environ["RENDITIONS"].split(","))):
        priority = (URGENT if key.startswith("urgent/") else 0) - height // 100
        said = {"mayfly": {"priority": priority}}
        reply = functions.invoke(
            FunctionName=os.environ["TRANSCODE"],
            InvocationType="Event",
            Payload=json.dumps({"bucket": bucket, "key": key, "height": height}),
            ClientContext=b64encode(json.dumps(said).encode()).decode(),
        )
        print("task", reply["ResponseMetadata"]["RequestId"], "for", key, "in", height)
