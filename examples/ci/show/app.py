"""Shows what was built: a page, a build's log, and all of it as JSON."""

import html
import json
import os

import boto3

s3 = boto3.client("s3")
BUCKET = os.environ["REPORTS"]


def handler(event, context):
    path = event["rawPath"].strip("/")
    if path == "":
        return {"statusCode": 200, "headers": {"content-type": "text/html; charset=utf-8"}, "body": page(builds())}
    if path == "builds.json":
        body = json.dumps(builds())
        return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}
    try:
        log = s3.get_object(Bucket=BUCKET, Key=f"logs/{path}.txt")["Body"].read().decode()
    except s3.exceptions.NoSuchKey:
        return {"statusCode": 404, "body": f"there is no build {path}\n"}
    return {"statusCode": 200, "headers": {"content-type": "text/plain; charset=utf-8"}, "body": log}


def builds():
    """All builds, the newest first."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="builds/")
    keys = [item["Key"] for one in pages for item in one.get("Contents", [])]
    found = [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]
    return sorted(found, key=lambda build: build["started"], reverse=True)


def page(found):
    rows = "".join(
        f"<tr><td>{'✓' if build['passed'] else '✗'}<td><a href='{html.escape(build['id'])}'>"
        f"{html.escape(build['commit'][:12])}</a><td>{html.escape(build['repository'])}"
        f"<td>{html.escape(build['summary'])}<td>{build['seconds']:.1f} s"
        for build in found
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Builds</title><style>body{font:16px system-ui;margin:3em}"
        f"td{{padding:.3em 1em}}</style><h1>Builds</h1><table>{rows}</table>"
    )
