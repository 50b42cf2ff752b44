"""Events of services that tell what happened, or ask a function to do its part. Pure."""

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote_plus

from mayfly.cli.samples.place import Place, md5


def s3_put(
    place: Place,
    *,
    bucket: str = "my-bucket",
    key: str = "test/key",
    size: int = 1024,
    event: str = "ObjectCreated:Put",
) -> dict[str, Any]:
    """An object was made."""
    return _s3(place, bucket, key, event, {"size": size, "eTag": md5(key)})


def s3_delete(
    place: Place, *, bucket: str = "my-bucket", key: str = "test/key", event: str = "ObjectRemoved:Delete"
) -> dict[str, Any]:
    """An object was removed."""
    return _s3(place, bucket, key, event, {})


def _s3(place: Place, bucket: str, key: str, event: str, about: dict[str, Any]) -> dict[str, Any]:
    request = place.new_id()
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": place.region,
                "eventTime": place.iso_millis,
                "eventName": event,
                "userIdentity": {"principalId": f"AWS:{place.account}"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {
                    "x-amz-request-id": request,
                    "x-amz-id-2": base64.b64encode(request.encode()).decode(),
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "sample",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": place.account},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {"key": quote_plus(key, safe="/*"), **about, "sequencer": "000000000000000001"},
                },
            }
        ]
    }


def eventbridge(
    place: Place,
    *,
    source: str = "my.application",
    detail_type: str = "something happened",
    detail: object = None,
    resource: str = "",
) -> dict[str, Any]:
    """An event of a bus."""
    return {
        "version": "0",
        "id": place.new_id(),
        "detail-type": detail_type,
        "source": source,
        "account": place.account,
        "time": place.iso,
        "region": place.region,
        "resources": [resource] if resource else [],
        "detail": {} if detail is None else detail,
    }


def schedule(place: Place, *, rule: str = "my-rule") -> dict[str, Any]:
    """A rule's schedule came round."""
    return eventbridge(
        place, source="aws.events", detail_type="Scheduled Event", resource=place.arn("events", f"rule/{rule}")
    )


def logs(
    place: Place,
    *,
    message: str = "ERROR something broke",
    group: str = "/aws/lambda/my-function",
    stream: str = "2026/01/31/[$LATEST]0123",
    filter_: str = "errors",
) -> dict[str, Any]:
    """Log events of a subscription filter, compressed and in base64 as they come."""
    told = {
        "messageType": "DATA_MESSAGE",
        "owner": place.account,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [filter_],
        "logEvents": [{"id": "eventId1", "timestamp": place.millis, "message": message}],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(told).encode(), mtime=0)).decode()}}


def alarm(
    place: Place, *, alarm: str = "my-alarm", state: str = "ALARM", reason: str = "Threshold Crossed"
) -> dict[str, Any]:
    """An alarm whose action is the function."""
    moment = place.now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    metric = {"namespace": "AWS/Lambda", "name": "Errors", "dimensions": {"FunctionName": "my-function"}}
    return {
        "source": "aws.cloudwatch",
        "alarmArn": place.arn("cloudwatch", f"alarm:{alarm}"),
        "accountId": place.account,
        "time": moment,
        "region": place.region,
        "alarmData": {
            "alarmName": alarm,
            "state": {"value": state, "reason": reason, "timestamp": moment},
            "previousState": {"value": "OK", "reason": "", "timestamp": moment},
            "configuration": {
                "metrics": [
                    {"id": "m1", "metricStat": {"metric": metric, "period": 60, "stat": "Sum"}, "returnData": True}
                ]
            },
        },
    }


def cloudformation(
    place: Place,
    *,
    request: str = "Create",
    resource: str = "MyResource",
    properties: object = None,
    url: str = "https://cloudformation-custom-resource-response.s3.amazonaws.com/sample",
) -> dict[str, Any]:
    """A custom resource is to be made (Create), changed (Update) or removed (Delete)."""
    event: dict[str, Any] = {
        "RequestType": request,
        "ServiceToken": place.arn("lambda", "function:my-function"),
        "ResponseURL": url,
        "StackId": place.arn("cloudformation", f"stack/my-stack/{place.new_id()}"),
        "RequestId": place.new_id(),
        "LogicalResourceId": resource,
        "ResourceType": f"Custom::{resource}",
        "ResourceProperties": {
            "ServiceToken": place.arn("lambda", "function:my-function"),
            **(properties if isinstance(properties, dict) else {}),
        },
    }
    if request != "Create":
        event["PhysicalResourceId"] = f"{resource}-1"
    if request == "Update":
        event["OldResourceProperties"] = {"ServiceToken": event["ServiceToken"]}
    return event


def cognito(
    place: Place,
    *,
    trigger: str = "PreSignUp_SignUp",
    user: str = "somebody",
    email: str = "somebody@example.com",
    pool: str = "",
) -> dict[str, Any]:
    """A user pool asks, by the name of its trigger.

    PreSignUp_SignUp, PostConfirmation_ConfirmSignUp, PreAuthentication_Authentication,
    PostAuthentication_Authentication, CustomMessage_SignUp, PreTokenGeneration_Authentication.
    """
    asked: dict[str, Any] = {"userAttributes": {"sub": place.new_id(), "email": email, "email_verified": "true"}}
    response: dict[str, Any] = {}
    if trigger.startswith("PreSignUp"):
        asked |= {"validationData": {}, "clientMetadata": {}}
        response = {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False}
    elif trigger.startswith("CustomMessage"):
        asked |= {"codeParameter": "{####}", "usernameParameter": None, "clientMetadata": {}}
        response = {"smsMessage": None, "emailMessage": None, "emailSubject": None}
    elif trigger.startswith("PreTokenGeneration"):
        groups: dict[str, Any] = {"groupsToOverride": [], "iamRolesToOverride": [], "preferredRole": None}
        asked |= {"groupConfiguration": groups, "clientMetadata": {}}
        response = {"claimsOverrideDetails": None}
    elif trigger.startswith("PreAuthentication"):
        asked |= {"validationData": {}, "userNotFound": False}
    elif trigger.startswith("PostAuthentication"):
        asked |= {"newDeviceUsed": False, "clientMetadata": {}}
    else:
        asked |= {"clientMetadata": {}}
    return {
        "version": "1",
        "region": place.region,
        "userPoolId": pool or f"{place.region}_abcdefghi",
        "userName": user,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
        "triggerSource": trigger,
        "request": asked,
        "response": response,
    }


def ses(
    place: Place,
    *,
    sender: str = "jane@example.com",
    recipient: str = "you@example.com",
    subject: str = "Hello",
) -> dict[str, Any]:
    """A mail came in."""
    passed = {"status": "PASS"}
    message = md5(place.new_id())
    date = place.now.strftime("%a, %d %b %Y %H:%M:%S +0000")
    headers = [
        {"name": "From", "value": sender},
        {"name": "To", "value": recipient},
        {"name": "Subject", "value": subject},
    ]
    return {
        "Records": [
            {
                "eventSource": "aws:ses",
                "eventVersion": "1.0",
                "ses": {
                    "mail": {
                        "timestamp": place.iso_millis,
                        "source": sender,
                        "messageId": message,
                        "destination": [recipient],
                        "headersTruncated": False,
                        "headers": headers,
                        "commonHeaders": {
                            "returnPath": sender,
                            "from": [sender],
                            "date": date,
                            "to": [recipient],
                            "messageId": f"<{message}@example.com>",
                            "subject": subject,
                        },
                    },
                    "receipt": {
                        "timestamp": place.iso_millis,
                        "processingTimeMillis": 574,
                        "recipients": [recipient],
                        "spamVerdict": passed,
                        "virusVerdict": passed,
                        "spfVerdict": passed,
                        "dkimVerdict": passed,
                        "dmarcVerdict": passed,
                        "action": {
                            "type": "Lambda",
                            "functionArn": place.arn("lambda", "function:my-function"),
                            "invocationType": "Event",
                        },
                    },
                },
            }
        ]
    }


def secret(place: Place, *, name: str = "my-secret", step: str = "createSecret", token: str = "") -> dict[str, Any]:
    """A secret is to be rotated: createSecret, setSecret, testSecret, finishSecret."""
    arn = place.arn("secretsmanager", f"secret:{name}-a1b2c3")
    return {"Step": step, "SecretId": arn, "ClientRequestToken": token or place.new_id()}


def workflow(place: Place, *, input_: object = None, task: str = "sample-task-token") -> dict[str, Any]:
    """A step of a state machine that waits for its task token."""
    execution = place.arn("states", f"execution:my-machine:{place.new_id()}")
    return {"taskToken": task, "executionId": execution, "input": {} if input_ is None else input_}
