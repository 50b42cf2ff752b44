"""Shows what was found: a page at /, JSON at /faces.json, annotated pictures below /annotated/."""

import base64
import html
import json
import os
from decimal import Decimal
from typing import Any

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
BUCKET = os.environ["BUCKET"]

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Faces</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: #223 }}
 main {{ display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)) }}
 figure {{ margin: 0; border: 1px solid #dde; border-radius: .5rem; overflow: hidden; background: #f8f8fb }}
 img {{ width: 100%; height: 12rem; object-fit: cover; display: block }}
 .none {{ height: 12rem; display: grid; place-items: center; color: #889 }}
 figcaption {{ padding: .75rem 1rem }} small {{ color: #667 }}
</style></head>
<body><h1>Faces</h1><p>{count} file(s), {faces} face(s). <a href="faces.json">As JSON</a></p>
<main>{figures}</main></body>
</html>
"""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    path = event["rawPath"]
    if path.startswith("/annotated/"):
        return picture(path[1:])
    items = sorted(all_items(), key=lambda item: str(item["key"]))
    if path == "/faces.json":
        return reply(200, "application/json", json.dumps(items, default=plain, ensure_ascii=False))
    if path == "/":
        figures = "".join(map(figure, items))
        faces = sum(len(item["faces"]) for item in items)
        return reply(200, "text/html; charset=utf-8", PAGE.format(count=len(items), faces=faces, figures=figures))
    return reply(404, "text/plain", f"Nothing is at {path}; try / or /faces.json.\n")


def all_items() -> list[dict[str, Any]]:
    """Every item of the table, page by page."""
    page = table.scan(ConsistentRead=True)
    items = list(page["Items"])
    while "LastEvaluatedKey" in page:
        page = table.scan(ConsistentRead=True, ExclusiveStartKey=page["LastEvaluatedKey"])
        items += page["Items"]
    return items


def figure(item: dict[str, Any]) -> str:
    key, where = html.escape(item["key"]), html.escape(item.get("annotated", ""), quote=True)
    image = f'<img src="{where}" alt="{key}">' if where else '<div class="none">no picture</div>'
    size = f"{item['width']} × {item['height']}, " if "width" in item else ""
    words = html.escape(item["error"]) if "error" in item else f"{len(item['faces'])} face(s)"
    return (
        f"<figure>{image}<figcaption><b>{key}</b><br>{words}<br>"
        f"<small>{size}{item['duration_ms']} ms</small></figcaption></figure>"
    )


def picture(key: str) -> dict[str, Any]:
    try:
        data = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return reply(404, "text/plain", "No such picture.\n")
    return {**reply(200, "image/jpeg", base64.b64encode(data).decode()), "isBase64Encoded": True}


def reply(status: int, content_type: str, body: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": content_type}, "body": body}


def plain(value: Any) -> int | float:
    """Numbers of the table as numbers of JSON."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{value!r} is not JSON")
