"""The two grammars of policy documents, and IAM's words for what is wrong."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.identity.policy_documents import check_permissions_policy, parse_trust_policy

from .documents import LAMBDA_TRUST, READ_S3

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


@pytest.mark.parametrize(
    "text",
    [
        READ_S3,
        document(ALLOW, {"Effect": "Deny", "NotAction": ["iam:*"], "NotResource": ["*"]}),
        document({**ALLOW, "Action": "*", "Condition": {"Bool": {"aws:SecureTransport": True}}}),
        json.dumps({"Statement": [ALLOW]}),
    ],
)
def test_good_permissions_policies_are_accepted(text: str) -> None:
    check_permissions_policy(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("[" * 100_000, "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        (document(), "Syntax errors in policy."),
        (json.dumps({"Version": "2012-10-17"}), "Missing required field Statement"),
        (document(ALLOW, Version="2010-01-01"), "Policy document must be version 2012-10-17 or greater."),
        (document(ALLOW, Other=1), "Syntax errors in policy. Unknown field Other"),
        (document({**ALLOW, "Effect": "Maybe"}), "Invalid effect: Maybe"),
        (document({"Action": "s3:*", "Resource": "*"}), "Missing required field Effect"),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "s3:*"}), "Policy statement must contain resources."),
        (document({**ALLOW, "Principal": "*"}), "Policy document should not specify a principal."),
        (document({**ALLOW, "Resource": "bucket"}), 'Resource bucket must be in ARN format or "*".'),
        (
            document({**ALLOW, "Action": "GetObject"}),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            document({**ALLOW, "Sid": "A"}, {**ALLOW, "Sid": "A"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        ('{"Statement": [], "Statement": []}', "Syntax errors in policy. A field stands twice in one object."),
        (document({**ALLOW, "Condition": "x"}), "Syntax errors in policy."),
    ],
)
def test_bad_permissions_policies_are_refused_in_iams_words(text: str, message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        check_permissions_policy(text)
    assert (caught.value.code, caught.value.message) == ("MalformedPolicyDocument", message)


def test_a_trust_policy_becomes_statements() -> None:
    (statement,) = parse_trust_policy(LAMBDA_TRUST)
    assert statement.allows
    assert statement.principals == {"Service": ("lambda.amazonaws.com",)}
    assert statement.actions == ("sts:AssumeRole",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (document({**TRUST, "Resource": "*"}), "Has prohibited field Resource"),
        (document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "Missing required field Principal"),
        (document({**TRUST, "Action": "s3:*"}), "AssumeRole policy may only specify STS AssumeRole actions."),
        (document({**TRUST, "Principal": {"Service": "lambda"}}), 'Invalid principal in policy: "SERVICE":"lambda"'),
        (document({**TRUST, "Principal": {"AWS": "bob"}}), 'Invalid principal in policy: "AWS":"bob"'),
        (document({**TRUST, "Principal": "me"}), 'Invalid principal in policy: "me"'),
        (document({**TRUST, "Principal": {"Team": "a"}}), 'Invalid principal in policy: "Team"'),
    ],
)
def test_bad_trust_policies_are_refused_in_iams_words(text: str, message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        parse_trust_policy(text)
    assert (caught.value.code, caught.value.message) == ("MalformedPolicyDocument", message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("sts:AssumeRole"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Principal", "Condition", "AWS"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def verdict(check: Callable[[str], object], text: str) -> str:
    try:
        check(text)
    except ServiceError as error:
        return error.code
    return "accepted"


@given(json_values)
def test_whatever_the_json_is_the_answer_is_a_verdict_and_never_a_crash(value: Any) -> None:
    for check in (check_permissions_policy, parse_trust_policy):
        assert verdict(check, json.dumps(value)) in ("accepted", "MalformedPolicyDocument")
