"""Finds faces on a picture that was put into a bucket, and writes one item about it to a table.

A file that is no picture is a result, too: its item says why. Only a failure of the platform raises, so that the event
is tried again.
"""

import os
import time
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote_plus

import boto3
import cv2
import numpy as np

s3 = boto3.client("s3")
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
detector = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
GREEN = (80, 220, 60)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    found = {}
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        item = recognise(bucket, key)
        table.put_item(Item=item)
        print(f"{key}: {item.get('error') or str(len(item['faces'])) + ' face(s)'} in {item['duration_ms']} ms")
        found[key] = len(item["faces"])
    return found


def recognise(bucket: str, key: str) -> dict[str, Any]:
    """The item about one object; an annotated copy is stored beside it when it is a picture."""
    began = time.perf_counter()
    data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    item: dict[str, Any] = {"key": key, "bytes": len(data), "faces": []}
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if picture is None:
        item["error"] = "not a picture that OpenCV can read"
    else:
        height, width = picture.shape[:2]
        item |= {"width": width, "height": height, "faces": faces_on(picture)}
        item["annotated"] = annotated(bucket, key, picture, item["faces"])
    item["duration_ms"] = Decimal(f"{(time.perf_counter() - began) * 1000:.1f}")
    return item


def faces_on(picture: Any) -> list[dict[str, int]]:
    """Boxes in pixels, from left to right."""
    grey = cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    smallest = max(24, min(grey.shape) // 14)
    boxes = detector.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(smallest, smallest))
    return [{"x": int(x), "y": int(y), "width": int(w), "height": int(h)} for x, y, w, h in sorted(map(tuple, boxes))]


def annotated(bucket: str, key: str, picture: Any, faces: list[dict[str, int]]) -> str:
    """The key of a copy with the boxes drawn on it."""
    for face in faces:
        corner = (face["x"] + face["width"], face["y"] + face["height"])
        cv2.rectangle(picture, (face["x"], face["y"]), corner, GREEN, max(2, picture.shape[1] // 300))
    _, jpeg = cv2.imencode(".jpg", picture)
    path = PurePosixPath("annotated", *PurePosixPath(key).parts[1:]).with_suffix(".jpg")
    s3.put_object(Bucket=bucket, Key=str(path), Body=jpeg.tobytes(), ContentType="image/jpeg")
    return str(path)
