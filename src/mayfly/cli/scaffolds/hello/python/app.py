import json


def handler(event, context):
    """Answer a request: `event` is what the function URL sends, what is returned becomes the response."""
    name = (event.get("queryStringParameters") or {}).get("name", "world")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"hello, {name}"}),
    }
