"""Resource policies: how they are kept, and what they allow."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.functions.model import Statement
from mayfly.services.functions.resource_policy import INVOKE, Attempt, allows, is_principal
from tests.services.functions.stage import ARN, Stage

S3 = {
    "FunctionName": "f",
    "StatementId": "s3",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
    "SourceArn": "arn:aws:s3:::photos",
    "SourceAccount": "000000000000",
}


async def test_a_permission_is_shown_as_iam_writes_it(stage: Stage) -> None:
    await stage.create()
    added = await stage.call("AddPermission", **S3)
    expected = {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": f"{ARN}f",
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "000000000000"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::photos"},
        },
    }
    assert json.loads(added["Statement"]) == expected
    policy = await stage.call("GetPolicy", FunctionName="f")
    assert json.loads(policy["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [expected]}


async def test_an_account_as_principal_is_its_root(stage: Stage) -> None:
    await stage.create()
    added = await stage.call("AddPermission", **{**S3, "Principal": "111111111111"})
    assert json.loads(added["Statement"])["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}


async def test_permissions_are_refused_in_awss_words(stage: Stage) -> None:
    missing = await stage.refusal("AddPermission", **S3)
    assert missing.message == f"Function not found: {ARN}f"
    await stage.create()
    await stage.call("AddPermission", **S3)
    again = await stage.refusal("AddPermission", **S3)
    assert (again.code, again.status) == ("ResourceConflictException", 409)
    assert again.message.startswith("The statement id (s3) provided already exists.")
    bad = await stage.refusal("AddPermission", **{**S3, "StatementId": "x", "Principal": "me"})
    assert bad.message == "The provided principal was invalid. Please check the principal and try again."
    latest = await stage.refusal("AddPermission", **{**S3, "StatementId": "x", "Qualifier": "$LATEST"})
    assert latest.message == "We currently do not support adding policies for $LATEST."
    stale = await stage.refusal("AddPermission", **{**S3, "StatementId": "x", "RevisionId": "old"})
    assert stale.code == "PreconditionFailedException"


async def test_a_policy_has_a_largest_size(stage: Stage) -> None:
    await stage.create()
    large = {**S3, "SourceArn": "arn:aws:s3:::" + "x" * 9000}
    await stage.call("AddPermission", **large)
    await stage.call("AddPermission", **{**large, "StatementId": "2"})
    error = await stage.refusal("AddPermission", **{**large, "StatementId": "3"})
    assert error.code == "PolicyLengthExceededException"


async def test_permissions_are_removed_one_by_one(stage: Stage) -> None:
    await stage.create()
    nothing = await stage.refusal("RemovePermission", FunctionName="f", StatementId="s3")
    assert nothing.message == "No policy is associated with the given resource."
    await stage.call("AddPermission", **S3)
    unknown = await stage.refusal("RemovePermission", FunctionName="f", StatementId="other")
    assert unknown.message == "Statement other is not found in resource policy."
    await stage.call("RemovePermission", FunctionName="f", StatementId="s3")
    assert (await stage.refusal("GetPolicy", FunctionName="f")).message == "The resource you requested does not exist."


async def test_an_event_source_may_only_do_what_the_policy_says(stage: Stage) -> None:
    await stage.create()
    check = stage.functions.event_targets.check
    with pytest.raises(ServiceError, match="AccessDeniedException"):
        await check(f"{ARN}f", "s3.amazonaws.com", "arn:aws:s3:::photos", "000000000000")
    await stage.call("AddPermission", **S3)
    await check(f"{ARN}f", "s3.amazonaws.com", "arn:aws:s3:::photos", "000000000000")
    for principal, source, account in (
        ("sns.amazonaws.com", "arn:aws:s3:::photos", "000000000000"),
        ("s3.amazonaws.com", "arn:aws:s3:::others", "000000000000"),
        ("s3.amazonaws.com", "arn:aws:s3:::photos", "111111111111"),
    ):
        with pytest.raises(ServiceError, match="AccessDeniedException"):
            await check(f"{ARN}f", principal, source, account)
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        await check(f"{ARN}g", "s3.amazonaws.com", "arn:aws:s3:::photos", "000000000000")


@pytest.mark.parametrize(
    ("pattern", "arn", "expected"),
    [
        ("arn:aws:s3:::photos", "arn:aws:s3:::photos", True),
        ("arn:aws:s3:::*", "arn:aws:s3:::photos", True),
        ("arn:aws:s3:::ph?tos", "arn:aws:s3:::photos", True),
        ("arn:aws:s3:::photos", "arn:aws:s3:::photos-2", False),
        ("arn:aws:*:::photos", "arn:aws:s3:us-east-1::photos", False),
        ("arn:aws:events:*:*:rule/*", "arn:aws:events:us-east-1:000000000000:rule/bus/a:b", True),
        ("*", "arn:aws:s3:::photos", False),
        ("arn:aws:s3:::a.b", "arn:aws:s3:::axb", False),
    ],
)
def test_source_arns_match_part_by_part(pattern: str, arn: str, expected: bool) -> None:
    statement = Statement("s", INVOKE, "s3.amazonaws.com", source_arn=pattern)
    assert allows([statement], Attempt(INVOKE, "s3.amazonaws.com", arn)) is expected


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_is_allowed_to_a_principal_that_is_not_named(principal: str, other: str) -> None:
    statement = Statement("s", INVOKE, principal)
    attempt = Attempt(INVOKE, other)
    assert allows([statement], attempt) is (principal in ("*", other))
    assert not allows([], attempt)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", True),
        ("s3.amazonaws.com", True),
        ("000000000000", True),
        ("arn:aws:iam::000000000000:user/a", True),
        ("s3", False),
        ("arn:aws:s3:::bucket", False),
        ("evil.com", False),
    ],
)
def test_principals_are_services_accounts_identities_or_everybody(text: str, expected: bool) -> None:
    assert is_principal(text) is expected
