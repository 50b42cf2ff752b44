import json
import os
import struct
from urllib.parse import unquote, unquote_plus

import boto3

s3 = boto3.client("s3")
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def look(event, context):
    """Look at every picture that was uploaded."""
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        picture = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        seen = {"key": key, "bytes": len(picture), **recognise(picture)}
        table.put_item(Item=seen)
        print("saw", json.dumps(seen))


def tell(event, context):
    """Answer what was seen, of one picture or of all."""
    key = (event.get("pathParameters") or {}).get("key")
    if key is None:
        return answer(200, sorted(table.scan()["Items"], key=lambda item: item["key"]))
    item = table.get_item(Key={"key": unquote(key)}).get("Item")
    return answer(200, item) if item else answer(404, {"message": f"nobody has seen {key}"})


def recognise(picture):
    """What is on a picture: its format, width and height."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", picture[16:24])
        return {"format": "png", "width": width, "height": height}
    if picture.startswith(b"\xff\xd8"):
        return {"format": "jpeg", **jpeg_size(picture)}
    return {"format": "unknown"}


def jpeg_size(picture):
    """The size is in the frame header, behind segments of other kinds."""
    at = 2
    while at + 9 < len(picture) and picture[at] == 0xFF:
        marker, length = picture[at + 1], struct.unpack(">H", picture[at + 2 : at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", picture[at + 5 : at + 9])
            return {"width": width, "height": height}
        at += 2 + length
    return {}


def answer(status, body):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, default=int, ensure_ascii=False),
    }
