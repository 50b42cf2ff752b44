"""What resource policies deny the services of the platform."""

import json
from typing import Any

import pytest

from mayfly.services.denials import Attempt, denies

QUEUE = "arn:aws:sqs:us-east-1:000000000000:work"
ATTEMPT = Attempt("SQS:SendMessage", QUEUE, "sns.amazonaws.com", "arn:aws:sns:us-east-1:000000000000:t", "000000000000")
DENY = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE}


def denied(change: dict[str, Any], attempt: Attempt = ATTEMPT) -> bool:
    statement = {name: value for name, value in {**DENY, **change}.items() if value is not None}
    return denies(json.dumps({"Statement": [{**DENY, "Effect": "Allow"}, statement]}), attempt)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Action": ["SQS:ReceiveMessage", "sqs:sendmessage"]},
        {"Action": None, "NotAction": "sqs:ReceiveMessage"},
        {"Principal": {"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}},
        {"Principal": None, "NotPrincipal": {"Service": "s3.amazonaws.com"}},
        {"Condition": {"ArnNotEquals": {"aws:SourceArn": "arn:aws:sns:*:*:other"}}},
        {"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:sns:*:000000000000:?"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": True}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},  # cannot be judged
        {"Condition": {"StringEqualsIfExists": {"aws:SourceAccount": ["1", "000000000000"]}}},
    ],
)
def test_a_statement_that_is_about_it_denies_it(change: dict[str, Any]) -> None:
    assert denied(change)


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Action": "sqs:ReceiveMessage"},
        {"Action": None, "NotAction": "sqs:Send*"},
        {"Resource": QUEUE + "-2"},
        {"Principal": {"Service": "s3.amazonaws.com"}},
        {"Principal": None, "NotPrincipal": {"Service": "sns.amazonaws.com"}},
        {"Condition": {"ArnNotLike": {"aws:SourceArn": "arn:aws:sns:*"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": False}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}},
        {"Condition": {"StringLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:000000000000:[t]"}}},
    ],
)
def test_a_statement_that_is_not_about_it_does_not(change: dict[str, Any]) -> None:
    assert not denied(change)


def test_without_a_policy_nothing_is_denied() -> None:
    assert not denies(None, ATTEMPT)


def test_a_resource_that_is_not_asked_for_does_not_matter() -> None:
    assert denied({"Resource": "arn:aws:sqs:::other"}, ATTEMPT._replace(resource_arn=None))
