"""Cases of SNS, Events, Scheduler and Pipes."""

from tests.services.stacks.resources.case import Case, World

ACCOUNT = "000000000000"
TAG = [{"Key": "k", "Value": "v"}]
PATTERN = {"source": ["shop"]}
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
PUTTING = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "events:PutEvents",
    "Resource": BUS,
}


def publishing(topic: str, sid: str = "one") -> dict[str, object]:
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def key(value: str) -> dict[str, object]:
    return {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": value}}


def cases(world: World) -> list[Case]:
    aimed = {"Arn": world.queue, "RoleArn": world.role_arn}
    return [
        Case(
            "AWS::SNS::Topic",
            {"DisplayName": "news", "FifoTopic": "true", "Tags": TAG, "FifoThroughputScope": "MessageGroup"},
            {"DisplayName": "other", "ContentBasedDeduplication": "true", "Tags": []},
        ),
        Case(
            "AWS::SNS::Topic",
            {"Subscription": [{"Endpoint": world.queue, "Protocol": "sqs"}], "SignatureVersion": "2",
             "KmsMasterKeyId": "alias/aws/sns"},
            {"Subscription": [{"Endpoint": world.function, "Protocol": "lambda"}]},
        ),
        Case(
            "AWS::SNS::Subscription",
            {"TopicArn": world.topic, "Protocol": "sqs", "Endpoint": world.queue, "FilterPolicy": {"kind": ["a"]}},
            {
                "RawMessageDelivery": "true",
                "FilterPolicyScope": "MessageBody",
                "FilterPolicy": {"order": {"kind": ["a"]}},
                "RedrivePolicy": {"deadLetterTargetArn": world.queue},
            },
        ),
        Case("AWS::SNS::TopicPolicy", {"Topics": [world.topic], "PolicyDocument": publishing(world.topic)},
             {"PolicyDocument": publishing(world.topic, "two")}),
        Case("AWS::SNS::TopicInlinePolicy", {"TopicArn": world.topic, "PolicyDocument": publishing(world.topic)},
             {"PolicyDocument": publishing(world.topic, "two")}),
        Case(
            "AWS::Events::EventBus",
            {"Name": "contract-bus", "Description": "of the contract", "Tags": TAG},
            {"Description": "other", "DeadLetterConfig": {"Arn": world.queue}, "Tags": []},
        ),
        Case("AWS::Events::EventBusPolicy", {"StatementId": "put", "Statement": PUTTING},
             {"Statement": {**PUTTING, "Principal": "*"}}),
        Case("AWS::Events::EventBusPolicy",
             {"StatementId": "old", "Action": "events:PutEvents", "Principal": ACCOUNT},
             {"Principal": "*"}),
        Case(
            "AWS::Events::Rule",
            {
                "EventPattern": PATTERN,
                "Targets": [
                    {"Id": "a", "Arn": world.queue, "InputTransformer": {"InputTemplate": '"<a>"',
                     "InputPathsMap": {"a": "$.source"}}, "RetryPolicy": {"MaximumRetryAttempts": "3"}},
                    {"Id": "b", "Arn": world.topic},
                ],
                "Tags": TAG,
            },
            {
                "EventPattern": {"source": ["other"]},
                "State": "DISABLED",
                "Targets": [{"Id": "b", "Arn": world.function, "DeadLetterConfig": {"Arn": world.queue}}],
                "Tags": [],
            },
        ),
        Case("AWS::Events::Rule", {"Name": "contract-rule", "ScheduleExpression": "rate(5 minutes)"},
             {"ScheduleExpression": "rate(6 minutes)", "Description": "d"}),
        Case("AWS::Events::Archive", {"SourceArn": BUS, "EventPattern": PATTERN, "RetentionDays": "3"},
             {"RetentionDays": 4, "Description": "d"}),
        Case("AWS::Events::Connection", {"AuthorizationType": "API_KEY", "AuthParameters": key("one")},
             {"AuthParameters": key("two"), "Description": "d"}),
        Case(
            "AWS::Events::ApiDestination",
            {"ConnectionArn": world.connection, "HttpMethod": "POST", "InvocationEndpoint": "https://example.com/*"},
            {"HttpMethod": "PUT", "InvocationRateLimitPerSecond": "5", "Description": "d"},
        ),
        Case("AWS::Scheduler::ScheduleGroup", {"Tags": TAG}, {"Tags": []}),
        Case(
            "AWS::Scheduler::Schedule",
            {
                "ScheduleExpression": "rate(1 hour)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {**aimed, "Input": "{}", "RetryPolicy": {"MaximumRetryAttempts": "2"}},
                "EndDate": "2100-01-01T00:00:00Z",
            },
            {
                "ScheduleExpression": "cron(0 12 * * ? *)",
                "ScheduleExpressionTimezone": "Europe/Berlin",
                "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": "5"},
                "State": "DISABLED",
            },
        ),
        Case(
            "AWS::Pipes::Pipe",
            {
                "RoleArn": world.role_arn,
                "Source": world.queue,
                "Target": world.topic,
                "DesiredState": "STOPPED",
                "SourceParameters": {"SqsQueueParameters": {"BatchSize": "1"},
                                     "FilterCriteria": {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}},
                "Tags": {"k": "v"},
            },
            {"TargetParameters": {"InputTemplate": '{"b": <$.body>}'}, "Description": "d", "Tags": {}},
        ),
    ]  # fmt: skip
