"""Events with records of queues, topics and streams. Pure."""

import base64
from typing import Any

from mayfly.cli.samples.place import Place, md5


def sqs(place: Place, *, body: str = "Hello from SQS!", queue: str = "my-queue", count: int = 1) -> dict[str, Any]:
    """Messages of a queue."""
    return {"Records": [_message(place, body, queue) for _ in range(count)]}


def _message(place: Place, body: str, queue: str) -> dict[str, Any]:
    sent = str(place.millis)
    attributes = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": sent,
        "SenderId": place.account,
        "ApproximateFirstReceiveTimestamp": sent,
    }
    if queue.endswith(".fifo"):
        attributes |= {
            "SequenceNumber": "18849496460467696128",
            "MessageGroupId": "1",
            "MessageDeduplicationId": place.new_id(),
        }
    return {
        "messageId": place.new_id(),
        "receiptHandle": base64.b64encode(place.new_id().encode()).decode(),
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfMessageAttributes": None,
        "md5OfBody": md5(body),
        "eventSource": "aws:sqs",
        "eventSourceARN": place.arn("sqs", queue),
        "awsRegion": place.region,
    }


def sns(
    place: Place, *, message: str = "Hello from SNS!", subject: str = "Greeting", topic: str = "my-topic"
) -> dict[str, Any]:
    """A notification of a topic."""
    arn = place.arn("sns", topic)
    subscription = f"{arn}:{place.new_id()}"
    base = f"https://sns.{place.region}.amazonaws.com"
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": place.new_id(),
                    "TopicArn": arn,
                    "Subject": subject,
                    "Message": message,
                    "Timestamp": place.iso_millis,
                    "SignatureVersion": "1",
                    "Signature": base64.b64encode(b"sample").decode(),
                    "SigningCertUrl": f"{base}/SimpleNotificationService.pem",
                    "UnsubscribeUrl": f"{base}/?Action=Unsubscribe&SubscriptionArn={subscription}",
                    "MessageAttributes": {},
                },
            }
        ]
    }


def dynamodb(
    place: Place, *, table: str = "my-table", id_: str = "101", name: str = "INSERT", message: str = "New item!"
) -> dict[str, Any]:
    """A change of a table, by its stream: INSERT, MODIFY or REMOVE."""
    item = {"Id": {"S": id_}, "Message": {"S": message}}
    images = {
        "INSERT": {"NewImage": item},
        "MODIFY": {"NewImage": item, "OldImage": {**item, "Message": {"S": "Old item"}}},
        "REMOVE": {"OldImage": item},
    }
    stream = f"table/{table}/stream/{place.now:%Y-%m-%dT%H:%M:%S}.000"
    return {
        "Records": [
            {
                "eventID": md5(place.new_id()),
                "eventName": name.upper(),
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": place.region,
                "dynamodb": {
                    "ApproximateCreationDateTime": place.millis // 1000,
                    "Keys": {"Id": {"S": id_}},
                    **images.get(name.upper(), images["MODIFY"]),
                    "SequenceNumber": "4421584500000000017450439091",
                    "SizeBytes": 26,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
                "eventSourceARN": place.arn("dynamodb", stream),
            }
        ]
    }


def kinesis(
    place: Place, *, body: str = "Hello from Kinesis!", stream: str = "my-stream", key: str = "1", count: int = 1
) -> dict[str, Any]:
    """Records of a stream; the body travels in base64."""
    records = []
    for number in range(count):
        sequence = str(49590338271490256608559692538361571095921575989136588898 + number)
        records.append(
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": key,
                    "sequenceNumber": sequence,
                    "data": _base64(body),
                    "approximateArrivalTimestamp": place.millis / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000006:{sequence}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": f"arn:aws:iam::{place.account}:role/lambda-role",
                "awsRegion": place.region,
                "eventSourceARN": place.arn("kinesis", f"stream/{stream}"),
            }
        )
    return {"Records": records}


def firehose(place: Place, *, body: str = "Hello from Firehose!", stream: str = "my-delivery-stream") -> dict[str, Any]:
    """Records to be transformed on their way."""
    return {
        "invocationId": place.new_id(),
        "deliveryStreamArn": place.arn("firehose", f"deliverystream/{stream}"),
        "region": place.region,
        "records": [
            {
                "recordId": "49546986683135544286507457936321625675700192471156785154000000",
                "approximateArrivalTimestamp": place.millis,
                "data": _base64(body),
            }
        ],
    }


def kafka(
    place: Place,
    *,
    body: str = "Hello from Kafka!",
    topic: str = "my-topic",
    key: str = "key",
    cluster: str = "my-cluster",
) -> dict[str, Any]:
    """Records of a topic of MSK; keys and values travel in base64."""
    servers = f"b-1.{cluster}.abcdef.c1.kafka.{place.region}.amazonaws.com:9098"
    return {
        "eventSource": "aws:kafka",
        "eventSourceArn": place.arn("kafka", f"cluster/{cluster}/{place.new_id()}-1"),
        "bootstrapServers": servers,
        "records": {f"{topic}-0": [_kafka_record(place, topic, key, body)]},
    }


def kafka_self_managed(
    place: Place,
    *,
    body: str = "Hello from Kafka!",
    topic: str = "my-topic",
    key: str = "key",
    servers: str = "localhost:9092",
) -> dict[str, Any]:
    """Records of a topic of a cluster of one's own."""
    return {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": servers,
        "records": {f"{topic}-0": [_kafka_record(place, topic, key, body)]},
    }


def _kafka_record(place: Place, topic: str, key: str, body: str) -> dict[str, Any]:
    return {
        "topic": topic,
        "partition": 0,
        "offset": 15,
        "timestamp": place.millis,
        "timestampType": "CREATE_TIME",
        "key": _base64(key),
        "value": _base64(body),
        "headers": [{"headerKey": list(b"headerValue")}],
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
