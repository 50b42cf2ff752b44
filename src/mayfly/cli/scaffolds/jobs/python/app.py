import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    """Do a batch of jobs. Those that are named in the answer come again; the others are done."""
    failed = []
    for message in event["Records"]:
        try:
            do(message["messageId"], json.loads(message["body"]))
        except Exception as error:
            print("job", message["messageId"], "failed:", repr(error))
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def do(job_id, job):
    """One job. It may come twice, so its result has a key of its own."""
    table.put_item(Item={"id": job_id, "text": job["text"], "words": len(job["text"].split())})
