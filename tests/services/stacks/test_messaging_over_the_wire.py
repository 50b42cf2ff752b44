"""Stacks of topics, rules, schedules and pipes on a real platform: what is sent arrives; deleting leaves nothing."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]
WAIT = {"Delay": 0.2, "MaxAttempts": 300}
TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["pipes.amazonaws.com", "scheduler.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ]
}
POLICY = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": ["Box", "Arn"]},
        }
    ]
}
BOX = {
    "Box": {"Type": "AWS::SQS::Queue"},
    "BoxPolicy": {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [{"Ref": "Box"}], "PolicyDocument": POLICY},
    },
    "Actor": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
}
ARN = {"Fn::GetAtt": ["Box", "Arn"]}
ROLE = {"Fn::GetAtt": ["Actor", "Arn"]}


@contextmanager
def stack(client: Client, name: str, resources: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Physical ids by logical id; the stack is deleted at the end."""
    formation = client("cloudformation")
    body = json.dumps({"Resources": BOX | resources})
    formation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=WAIT)
    try:
        yield ids(client, name)
    finally:
        formation.delete_stack(StackName=name)
        formation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=WAIT)


def ids(client: Client, name: str) -> dict[str, str]:
    found = client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}


def update(client: Client, name: str, resources: dict[str, Any]) -> dict[str, str]:
    formation = client("cloudformation")
    body = json.dumps({"Resources": BOX | resources})
    formation.update_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    formation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=WAIT)
    return ids(client, name)


def drifted(client: Client, name: str) -> list[str]:
    """What is not as the template says."""
    formation = client("cloudformation")
    detection = formation.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    for _ in range(300):
        shown = formation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if shown["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            break
    assert shown["DetectionStatus"] == "DETECTION_COMPLETE", shown
    found = formation.describe_stack_resource_drifts(StackName=name)["StackResourceDrifts"]
    return [one["LogicalResourceId"] for one in found if one["StackResourceDriftStatus"] != "IN_SYNC"]


def received(client: Client, url: str) -> str:
    """The body of one message."""
    (message,) = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    body: str = message["Body"]
    return body


def news(name: str, kinds: list[str]) -> dict[str, Any]:
    return {
        "News": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}},
        "Heard": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "News"},
                "Protocol": "sqs",
                "Endpoint": ARN,
                "RawMessageDelivery": True,
                "FilterPolicyScope": "MessageBody",
                "FilterPolicy": {"kind": kinds},
            },
        },
    }


def test_what_is_published_to_a_topic_of_a_stack_reaches_its_subscriber_and_a_new_name_moves_the_subscription(
    client: Client,
) -> None:
    sns = client("sns")
    with stack(client, "sns-types", news("sns-types-one", ["a"])) as made:
        sns.publish(TopicArn=made["News"], Message='{"kind": "b"}')
        sns.publish(TopicArn=made["News"], Message='{"kind": "a"}')
        assert received(client, made["Box"]) == '{"kind": "a"}'

        assert drifted(client, "sns-types") == []
        raw = {"SubscriptionArn": made["Heard"], "AttributeName": "RawMessageDelivery"}
        sns.set_subscription_attributes(**raw, AttributeValue="false")
        assert drifted(client, "sns-types") == ["Heard"]
        sns.set_subscription_attributes(**raw, AttributeValue="true")
        changed = update(client, "sns-types", news("sns-types-one", ["b"]))
        assert changed == made
        sns.publish(TopicArn=made["News"], Message='{"kind": "b"}')
        assert received(client, made["Box"]) == '{"kind": "b"}'

        moved = update(client, "sns-types", news("sns-types-two", ["b"]))
        assert moved["News"].endswith(":sns-types-two")
        assert moved["Heard"].startswith(moved["News"])
        with pytest.raises(ClientError, match="Topic does not exist"):
            sns.get_topic_attributes(TopicArn=made["News"])
    with pytest.raises(ClientError, match="Subscription does not exist"):
        sns.get_subscription_attributes(SubscriptionArn=moved["Heard"])


def shop(source: str) -> dict[str, Any]:
    return {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "types-shop"}},
        "Orders": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventBusName": {"Ref": "Bus"},
                "EventPattern": {"source": [source]},
                "Targets": [
                    {
                        "Id": "box",
                        "Arn": ARN,
                        "InputTransformer": {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"number": <n>}'},
                        "DeadLetterConfig": {"Arn": ARN},
                        "RetryPolicy": {"MaximumRetryAttempts": 1},
                    }
                ],
            },
        },
        "Kept": {"Type": "AWS::Events::Archive", "Properties": {"SourceArn": {"Fn::GetAtt": ["Bus", "Arn"]}}},
    }


def test_events_of_a_bus_of_a_stack_come_out_of_its_rule_as_the_template_says(client: Client) -> None:
    events = client("events")

    def put(source: str, number: int) -> None:
        entry = {"Source": source, "DetailType": "Order", "Detail": f'{{"n": {number}}}', "EventBusName": "types-shop"}
        events.put_events(Entries=[entry])

    with stack(client, "events-types", shop("shop")) as made:
        bus, _, rule = made["Orders"].partition("|")
        assert bus == "types-shop"
        put("shop", 1)
        assert json.loads(received(client, made["Box"])) == {"number": 1}
        assert update(client, "events-types", shop("store")) == made
        put("shop", 2)
        put("store", 3)
        assert json.loads(received(client, made["Box"])) == {"number": 3}
        assert drifted(client, "events-types") == []
        assert events.describe_archive(ArchiveName=made["Kept"])["State"] == "ENABLED"
        assert rule in [one["Name"] for one in events.list_rules(EventBusName=bus)["Rules"]]
    with pytest.raises(ClientError, match="Event bus types-shop does not exist"):
        events.describe_event_bus(Name="types-shop")


def timed(target_input: str) -> dict[str, Any]:
    return {
        "Nightly": {"Type": "AWS::Scheduler::ScheduleGroup"},
        "Once": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "GroupName": {"Ref": "Nightly"},
                "ScheduleExpression": "at(2020-01-01T00:00:00)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "State": "DISABLED",
                "Target": {"Arn": ARN, "RoleArn": ROLE, "Input": target_input},
            },
        },
        "Far": {"Type": "AWS::SQS::Queue"},
        "Through": {
            "Type": "AWS::Pipes::Pipe",
            "Properties": {
                "RoleArn": ROLE,
                "Source": ARN,
                "Target": {"Fn::GetAtt": ["Far", "Arn"]},
                "TargetParameters": {"InputTemplate": '{"was": <$.body>}'},
            },
        },
    }


def test_a_stack_has_schedules_in_groups_and_pipes_that_run(client: Client) -> None:
    with stack(client, "timed-types", timed('{"a": 1}')) as made:
        client("sqs").send_message(QueueUrl=made["Box"], MessageBody="1")
        assert json.loads(received(client, made["Far"])) == {"was": 1}
        update(client, "timed-types", timed('{"a": 2}'))
        assert drifted(client, "timed-types") == []
        place = {"Name": made["Once"], "GroupName": made["Nightly"]}
        assert client("scheduler").get_schedule(**place)["Target"]["Input"] == '{"a": 2}'
    with pytest.raises(ClientError, match="does not exist"):
        client("scheduler").get_schedule_group(Name=made["Nightly"])
    with pytest.raises(ClientError, match="does not exist"):
        client("pipes").describe_pipe(Name=made["Through"])


def test_a_property_that_cannot_be_honoured_is_refused_with_its_reason_before_anything_is_made(client: Client) -> None:
    body = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"DataProtectionPolicy": {}}}}})
    with pytest.raises(ClientError, match="Mayfly does not implement data protection policies"):
        client("cloudformation").create_stack(StackName="refused-types", TemplateBody=body)


def test_what_has_no_effect_here_is_said_in_the_events_of_the_resource(client: Client) -> None:
    properties: dict[str, Any] = {"BucketEncryption": {"ServerSideEncryptionConfiguration": []}}
    encrypted = {"Type": "AWS::S3::Bucket", "Properties": properties}
    with stack(client, "silent-types", {"Safe": encrypted}):
        events = client("cloudformation").describe_stack_events(StackName="silent-types")["StackEvents"]
    (reason,) = [
        event["ResourceStatusReason"]
        for event in events
        if (event["LogicalResourceId"], event["ResourceStatus"]) == ("Safe", "CREATE_COMPLETE")
    ]
    assert reason == (
        "Without effect here: BucketEncryption (Objects are as encrypted as the disk under Mayfly's data is)."
    )


def people(action: str, user: str) -> dict[str, Any]:
    document = {"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    return {
        "Staff": {"Type": "AWS::IAM::Group", "Properties": {"Path": "/types/"}},
        "Person": {"Type": "AWS::IAM::User", "Properties": {"UserName": user, "Groups": [{"Ref": "Staff"}]}},
        "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "Person"}}},
        "Shared": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": document, "Groups": [{"Ref": "Staff"}], "Roles": [{"Ref": "Actor"}]},
        },
        "Own": {
            "Type": "AWS::IAM::Policy",
            "Properties": {"PolicyName": "own", "PolicyDocument": document, "Users": [{"Ref": "Person"}]},
        },
        "Machine": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Actor"}]}},
        "Store": {"Type": "AWS::S3::Bucket"},
        "StorePolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Store"},
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": {"Fn::GetAtt": ["Person", "Arn"]}},
                            "Action": "s3:GetObject",
                            "Resource": {"Fn::Sub": "${Store.Arn}/*"},
                        }
                    ]
                },
            },
        },
    }


def test_a_stack_of_people_keeps_its_policy_when_that_says_something_else_and_renames_a_user_by_another(
    client: Client,
) -> None:
    iam = client("iam")
    with stack(client, "iam-types", people("s3:GetObject", "types-one")) as made:
        assert drifted(client, "iam-types") == []
        changed = update(client, "iam-types", people("s3:PutObject", "types-one"))
        assert changed == made
        assert iam.get_policy(PolicyArn=made["Shared"])["Policy"]["DefaultVersionId"] == "v2"
        moved = update(client, "iam-types", people("s3:PutObject", "types-two"))
        assert moved["Person"] == "types-two"
        assert moved["Key"] != made["Key"]
        assert [key["AccessKeyId"] for key in iam.list_access_keys(UserName="types-two")["AccessKeyMetadata"]] == [
            moved["Key"]
        ]
        assert [one["UserName"] for one in iam.get_group(GroupName=made["Staff"])["Users"]] == ["types-two"]
        iam.delete_user_policy(UserName="types-two", PolicyName="own")
        assert drifted(client, "iam-types") == ["Own"]
    for user in ("types-one", "types-two"):
        with pytest.raises(ClientError, match="NoSuchEntity"):
            iam.get_user(UserName=user)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_policy(PolicyArn=made["Shared"])
