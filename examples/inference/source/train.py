"""A custom resource that is a model: trained when the stack is made, and again when its properties change."""

import io
import json
import urllib.request

import boto3
import joblib
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

s3 = boto3.client("s3")


def handler(event, context):
    wanted = event["ResourceProperties"]
    try:
        if event["RequestType"] == "Delete":
            s3.delete_object(Bucket=wanted["Bucket"], Key=event["PhysicalResourceId"])
            answer(event, context, "SUCCESS", event["PhysicalResourceId"])
            return
        key, accuracy = train(wanted["Bucket"], int(wanted["Trees"]))
    except Exception as error:
        answer(event, context, "FAILED", event.get("PhysicalResourceId", "none"), reason=repr(error))
        raise
    # Another key is another resource: the stack has the old one deleted once nothing uses it.
    answer(event, context, "SUCCESS", key, {"Key": key, "Accuracy": f"{accuracy:.3f}"})


def train(bucket, trees):
    """Train on four fifths of the digits; where the model is, and how often it is right about the others."""
    digits = load_digits()
    seen, unseen, labels, truths = train_test_split(digits.data, digits.target, test_size=0.2, random_state=1)
    model = RandomForestClassifier(trees, random_state=1).fit(seen, labels)
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    key = f"digits-{trees}.joblib"
    s3.put_object(Bucket=bucket, Key=key, Body=buffer.getvalue())
    return key, model.score(unseen, truths)


def answer(event, context, status, physical_id, data=None, reason=""):
    """Tell CloudFormation, at the address that it gave."""
    said = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    said |= {"Status": status, "PhysicalResourceId": physical_id, "Data": data or {}}
    said["Reason"] = reason or f"See the log {context.log_stream_name}"
    request = urllib.request.Request(
        event["ResponseURL"], json.dumps(said).encode(), {"content-type": ""}, method="PUT"
    )
    urllib.request.urlopen(request).close()
