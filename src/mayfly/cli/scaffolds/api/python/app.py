import json
import os
import uuid

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    """One function for all routes; `routeKey` says which of them was asked for."""
    route = event["routeKey"]
    todo_id = (event.get("pathParameters") or {}).get("id")
    if route == "GET /todos":
        return answer(200, sorted(table.scan()["Items"], key=lambda item: item["text"]))
    if route == "POST /todos":
        return add(event)
    if route == "GET /todos/{id}":
        item = table.get_item(Key={"id": todo_id}).get("Item")
        return answer(200, item) if item else answer(404, {"message": f"there is no {todo_id}"})
    if route == "DELETE /todos/{id}":
        table.delete_item(Key={"id": todo_id})
        return {"statusCode": 204}
    return answer(404, {"message": f"nothing answers {route}"})


def add(event):
    try:
        text = json.loads(event.get("body") or "")["text"]
    except (ValueError, KeyError, TypeError):
        return answer(400, {"message": 'send {"text": "…"}'})
    item = {"id": uuid.uuid4().hex[:12], "text": str(text), "done": False}
    table.put_item(Item=item)
    return answer(201, item)


def answer(status, body):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, ensure_ascii=False),
    }
