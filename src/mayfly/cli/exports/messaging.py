"""Queues and topics, their policies, and subscriptions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from mayfly.cli.exports.things import Name, Reading, Thing, tags_of

QUEUE, TOPIC, SUBSCRIPTION = "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::SNS::Subscription"
_QUEUE_DEFAULTS = {
    "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "DelaySeconds": "0", "FifoQueue": "false",
    "FifoThroughputLimit": "perQueue", "KmsDataKeyReusePeriodSeconds": "300", "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "", "RedrivePolicy": "", "SqsManagedSseEnabled": "true", "VisibilityTimeout": "30",
}  # fmt: skip
_TOPIC_DEFAULTS = {
    "ArchivePolicy": "", "ContentBasedDeduplication": "false", "DisplayName": "", "FifoThroughputScope": "Topic",
    "FifoTopic": "false", "KmsMasterKeyId": "", "MaximumMessageSize": "262144", "SignatureVersion": "1",
}  # fmt: skip
_SUBSCRIPTION_DEFAULTS = {
    "DeliveryPolicy": "", "FilterPolicy": "", "FilterPolicyScope": "MessageAttributes", "RawMessageDelivery": "false",
    "RedrivePolicy": "", "ReplayPolicy": "",
}  # fmt: skip
_LOGGED = {"HTTP": "http/s", "SQS": "sqs", "Lambda": "lambda", "Firehose": "firehose", "Application": "application"}
_FEEDBACK = ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
_DEFAULT_STATEMENT = "__default_statement_ID"  # of the policy that every topic begins with


def queues(reading: Reading) -> Iterator[Thing]:
    client = reading.client("sqs")
    for url in reading.pages("sqs", "list_queues", "QueueUrls", MaxResults=1000):
        if reading.is_held(QUEUE, url):
            continue
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        name = url.rpartition("/")[2]
        properties = {"QueueName": name, **_attributes(found, _QUEUE_DEFAULTS)}
        properties |= tags_of(client.list_queue_tags(QueueUrl=url).get("Tags"))
        yield Thing(QUEUE, name.removesuffix(".fifo"), url, properties, {"Arn": found["QueueArn"]}, also=_urls(url))
        if found.get("Policy"):
            document = {"Queues": [Name(QUEUE, url)], "PolicyDocument": json.loads(found["Policy"])}
            yield Thing("AWS::SQS::QueuePolicy", f"{name.removesuffix('.fifo')} policy", "", document)


def _urls(url: str) -> tuple[str, ...]:
    """The other ways in which programs that run beside the server write the URL of a queue."""
    parts = urlsplit(url)
    hosts = {f"{host}:{parts.port}" for host in ("127.0.0.1", "localhost")} - {parts.netloc}
    return tuple(sorted(f"{parts.scheme}://{host}{parts.path}" for host in hosts))


def topics(reading: Reading) -> Iterator[Thing]:
    client = reading.client("sns")
    for listed in reading.pages("sns", "list_topics", "Topics"):
        arn = listed["TopicArn"]
        if reading.is_held(TOPIC, arn):
            continue
        name = arn.rpartition(":")[2]
        found = client.get_topic_attributes(TopicArn=arn)["Attributes"]
        properties = {"TopicName": name, **_attributes(found, _TOPIC_DEFAULTS), **_logged(found)}
        if found.get("DeliveryPolicy"):
            reading.notes.append(f"topic {name}: templates cannot say its DeliveryPolicy: set it afterwards")
        properties |= tags_of(client.list_tags_for_resource(ResourceArn=arn).get("Tags"))
        yield Thing(TOPIC, name.removesuffix(".fifo"), arn, properties)
        policy = json.loads(found["Policy"]) if found.get("Policy") else {"Statement": []}
        if any(statement.get("Sid") != _DEFAULT_STATEMENT for statement in policy["Statement"]):
            document = {"Topics": [Name(TOPIC, arn)], "PolicyDocument": policy}
            yield Thing("AWS::SNS::TopicPolicy", f"{name.removesuffix('.fifo')} policy", "", document)


def _logged(found: Mapping[str, str]) -> dict[str, Any]:
    """What is written of deliveries."""
    told = []
    for theirs, ours in _LOGGED.items():
        shown = {name: found[f"{theirs}{name}"] for name in _FEEDBACK if found.get(f"{theirs}{name}")}
        told += [{"Protocol": ours, **shown}] if shown else []
    return {"DeliveryStatusLogging": told} if told else {}


def subscriptions(reading: Reading) -> Iterator[Thing]:
    client = reading.client("sns")
    for listed in reading.pages("sns", "list_subscriptions", "Subscriptions"):
        arn, topic = listed["SubscriptionArn"], listed["TopicArn"].rpartition(":")[2]
        if reading.is_held(SUBSCRIPTION, arn) or arn == "Deleted":
            continue
        if not arn.startswith("arn:"):
            reading.notes.append(f"{topic}: nobody confirmed the subscription of {listed['Endpoint']}: left out")
            continue
        found = client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        properties = {
            "TopicArn": listed["TopicArn"],
            "Protocol": listed["Protocol"],
            "Endpoint": listed["Endpoint"],
            **_attributes(found, _SUBSCRIPTION_DEFAULTS),
        }
        if urlsplit(listed["Endpoint"]).password:
            reading.notes.append(f"{topic}: the password of {listed['Endpoint']} is not written: fill it in")
        end = listed["Endpoint"].rpartition(":")[2].rpartition("/")[2]
        yield Thing(SUBSCRIPTION, f"{topic.removesuffix('.fifo')} to {end}", arn, properties, foreseen=False)


def _attributes(found: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, Any]:
    """What is not as it begins, in the types that templates have."""
    return {name: _typed(found[name]) for name, default in defaults.items() if found.get(name, default) != default}


def _typed(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text.isdecimal():
        return int(text)
    return json.loads(text) if text.startswith("{") else text
