"""Which digit is on a picture of 8 x 8 pixels? The model is loaded during init: what SnapStart and provisioned
concurrency spare the first caller."""

import base64
import io
import json
import os

import boto3
import joblib

body = boto3.client("s3").get_object(Bucket=os.environ["BUCKET"], Key=os.environ["MODEL"])["Body"].read()
model = joblib.load(io.BytesIO(body))
model.n_jobs = 1


def handler(event, context):
    asked = said(event) if "requestContext" in event else event
    pixels = asked.get("pixels")
    if not isinstance(pixels, list) or len(pixels) != 64:
        return {"statusCode": 400, "body": json.dumps({"message": "send 64 pixels, numbers from 0 to 16"})}
    chances = model.predict_proba([pixels])[0]
    best = int(chances.argmax())
    found = {"digit": int(model.classes_[best]), "chance": round(float(chances[best]), 3)}
    if "requestContext" not in event:
        return found
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(found)}


def said(event):
    """The JSON of a request that came to the URL; {} where there is none."""
    body = event.get("body") or ""
    try:
        document = json.loads(base64.b64decode(body) if event["isBase64Encoded"] else body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
