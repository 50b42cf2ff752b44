"""Whole resource policies: what they are, what they allow and deny, and what is refused because it cannot be judged."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import Principal, ServiceError
from mayfly.services.functions.model import Statement
from mayfly.services.functions.policy_statements import parse
from mayfly.services.functions.resource_policy import INVOKE, INVOKE_URL, Attempt, allows, denies
from tests.services.functions.stage import ACCOUNT, ARN, ROLE, Stage

F = f"{ARN}f"
BUCKET = "arn:aws:s3:::photos"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/runs/me"
ALLOW: dict[str, Any] = {
    "Sid": "s3",
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": F,
}
DENY: dict[str, Any] = {**ALLOW, "Sid": "no", "Effect": "Deny", "Principal": "*"}


def policy(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def stored(*statements: Any) -> tuple[Statement, ...]:
    return tuple(Statement(sid, "", "", document=text) for sid, text in parse(policy(*statements), F).statements)


def by(principal: str, **more: Any) -> Attempt:
    return Attempt(INVOKE, principal, **more)


async def test_a_policy_is_put_read_and_deleted_whole(stage: Stage) -> None:
    await stage.create()
    first = await stage.call("PutResourcePolicy", ResourceArn=F, Policy=policy(ALLOW, DENY, Id="mine"))
    assert json.loads(first["Policy"]) == {"Version": "2012-10-17", "Id": "mine", "Statement": [ALLOW, DENY]}
    assert await stage.call("GetResourcePolicy", ResourceArn=F) == first
    assert await stage.call("GetPolicy", FunctionName="f") == first
    assert await stage.call("DeleteResourcePolicy", ResourceArn=F, RevisionId=first["RevisionId"]) == {}
    gone = await stage.refusal("GetResourcePolicy", ResourceArn=F)
    assert (gone.code, gone.status) == ("ResourceNotFoundException", 404)
    assert (await stage.refusal("DeleteResourcePolicy", ResourceArn=F)).status == 404


async def test_it_replaces_permissions_and_takes_others_behind_it(stage: Stage) -> None:
    await stage.create()
    permission = {"FunctionName": "f", "Action": INVOKE, "Principal": "sns.amazonaws.com"}
    await stage.call("AddPermission", StatementId="old", **permission)
    await stage.call("PutResourcePolicy", ResourceArn=F, Policy=policy(ALLOW))
    assert (await stage.refusal("AddPermission", StatementId="s3", **permission)).code == "ResourceConflictException"
    await stage.call("AddPermission", StatementId="new", **permission)
    found = json.loads((await stage.call("GetResourcePolicy", ResourceArn=F))["Policy"])
    assert [statement["Sid"] for statement in found["Statement"]] == ["s3", "new"]
    await stage.call("RemovePermission", FunctionName="f", StatementId="s3")
    found = json.loads((await stage.call("GetPolicy", FunctionName="f"))["Policy"])
    assert [statement["Sid"] for statement in found["Statement"]] == ["new"]


async def test_a_revision_that_is_not_the_latest_is_refused(stage: Stage) -> None:
    await stage.create()
    stale = "00000000-0000-0000-0000-000000000000"
    for operation, more in (("PutResourcePolicy", {"Policy": policy(ALLOW)}), ("DeleteResourcePolicy", {})):
        await stage.call("PutResourcePolicy", ResourceArn=F, Policy=policy(ALLOW))
        refused = await stage.refusal(operation, ResourceArn=F, RevisionId=stale, **more)
        assert (refused.code, refused.status) == ("PreconditionFailedException", 412)
        assert "GetResourcePolicy" in refused.message


async def test_versions_and_aliases_have_policies_of_their_own(stage: Stage) -> None:
    await stage.create(Publish=True)
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    for qualifier in ("1", "live"):
        arn = f"{F}:{qualifier}"
        await stage.call("PutResourcePolicy", ResourceArn=arn, Policy=policy({**ALLOW, "Resource": arn}))
        assert arn in (await stage.call("GetResourcePolicy", ResourceArn=arn))["Policy"]
    assert (await stage.refusal("GetResourcePolicy", ResourceArn=F)).status == 404
    latest = await stage.refusal("PutResourcePolicy", ResourceArn=f"{F}:$LATEST", Policy=policy(ALLOW))
    assert latest.message == "We currently do not support adding policies for $LATEST."
    missing = await stage.refusal(
        "PutResourcePolicy", ResourceArn=f"{ARN}g", Policy=policy({**ALLOW, "Resource": f"{ARN}g"})
    )
    assert missing.status == 404


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "not an object"),
        (policy(ALLOW, Extra=1), "Extra"),
        (policy(), "no Statement"),
        (policy(ALLOW, ALLOW), "stands twice"),
        (policy({**ALLOW, "Effect": "Maybe"}), "Effect"),
        (policy({**ALLOW, "Resource": f"{ARN}g"}), "Resource"),
        (policy({**ALLOW, "Action": "s3:GetObject"}), "lambda"),
        (policy({**ALLOW, "NotAction": "lambda:GetFunction"}), "either Action or NotAction"),
        (policy({**ALLOW, "Principal": {"Federated": "x"}}), "Principal"),
        (policy({key: value for key, value in ALLOW.items() if key != "Principal"}), "Principal"),
        (policy({**DENY, "Action": "lambda:*"}), "denied"),
        (policy({**DENY, "Action": "lambda:GetFunction"}), "denied"),
        (policy({**ALLOW, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}), "IpAddress"),
        (policy({**ALLOW, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}), "aws:SourceVpc"),
        (policy({**ALLOW, "Condition": {"ForAllValues:StringEquals": {"aws:SourceArn": "a"}}}), "ForAllValues"),
        (policy({**ALLOW, "Condition": {"StringLike": {"aws:SourceArn": "${aws:x}"}}}), "variables"),
        (policy(ALLOW, Version="2008-10-17"), "Version"),
    ],
)
async def test_what_cannot_be_evaluated_is_refused_with_the_reason(stage: Stage, text: str, reason: str) -> None:
    await stage.create()
    refused = await stage.refusal("PutResourcePolicy", ResourceArn=F, Policy=text)
    assert (refused.code, refused.status) == ("InvalidParameterValueException", 400)
    assert reason in refused.message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["Sid", "Effect", "Principal", "AWS", "Action", "Condition", "StringEquals", "Statement", "Version"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_policy_or_is_refused(value: Any) -> None:
    with contextlib.suppress(ServiceError):
        parse(json.dumps(value), F)


def test_a_deny_wins_over_every_allow() -> None:
    both = stored(ALLOW, {**DENY, "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::other*"}}})
    assert allows(both, by("s3.amazonaws.com", source_arn=BUCKET))
    assert not allows(both, by("s3.amazonaws.com", source_arn="arn:aws:s3:::others"))
    assert not allows(both, by("sns.amazonaws.com", source_arn=BUCKET))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"StringEquals": {"aws:SourceAccount": ["1", ACCOUNT]}}, True),
        ({"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}, False),
        ({"StringLike": {"AWS:SourceArn": "arn:aws:s3:::ph?tos"}}, True),
        ({"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::photos"}}, False),
        ({"ArnEquals": {"aws:SourceArn": "arn:*:s3:::photos"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*photos"}}, False),
        ({"StringEquals": {"aws:PrincipalServiceName": "s3.amazonaws.com"}}, True),
        ({"Bool": {"aws:PrincipalIsAWSService": "true"}}, True),
        ({"Bool": {"lambda:InvokedViaFunctionUrl": True}}, False),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"Null": {"aws:PrincipalOrgID": "true"}}, True),
        ({"Null": {"aws:SourceArn": "true"}}, False),
        ({"StringEqualsIgnoreCase": {"aws:SourceArn": "ARN:AWS:S3:::PHOTOS"}}, True),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}, "Bool": {"lambda:InvokedViaFunctionUrl": "true"}}, False),
    ],
)
def test_conditions_are_iams(condition: dict[str, Any], holds: bool) -> None:
    attempt = by("s3.amazonaws.com", source_arn=BUCKET, source_account=ACCOUNT)
    assert allows(stored({**ALLOW, "Condition": condition}), attempt) is holds
    assert denies(stored({**DENY, "Condition": condition}), attempt) is holds


@pytest.mark.parametrize(
    "principal",
    ["*", {"AWS": "*"}, {"AWS": ACCOUNT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": [ROLE]}, {"AWS": SESSION}],
)
def test_a_session_goes_by_the_names_of_its_role_and_account(principal: Any) -> None:
    assert denies(stored({**DENY, "Principal": principal}), by(SESSION))
    assert not denies(stored({**DENY, "Principal": {"AWS": f"{ROLE}2"}}), by(SESSION))


def test_actions_are_patterns_in_any_case() -> None:
    url = Attempt(INVOKE_URL, "*", url_auth_type="NONE", via_url=True)
    for action in ("lambda:Invoke*", "LAMBDA:invokefunctionurl", ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]):
        assert denies(stored({**DENY, "Action": action}), url)
    assert not denies(stored(DENY), url)
    allowed = {key: value for key, value in ALLOW.items() if key != "Action"}
    assert allows(stored({**allowed, "NotAction": "lambda:Get*"}), by("s3.amazonaws.com"))


async def test_who_is_denied_cannot_call_and_everybody_else_can(stage: Stage) -> None:
    await stage.create()
    await stage.call("PutResourcePolicy", ResourceArn=F, Policy=policy({**DENY, "Principal": {"AWS": ROLE}}))
    context = stage.context()
    role = Principal("assumed-role", ACCOUNT, SESSION, "AROA1:me")
    denied = msgspec.structs.replace(context, principal=role)
    for operation in ("Invoke", "InvokeWithResponseStream", "InvokeAsync"):
        more = {"InvokeArgs": b"{}"} if operation == "InvokeAsync" else {"Payload": b"{}"}
        with pytest.raises(ServiceError) as refused:
            await stage.wire.service.operations[operation](denied, {"FunctionName": "f", **more})
        assert (refused.value.code, refused.value.status) == ("AccessDeniedException", 403)
        assert "explicit deny in a resource-based policy" in refused.value.message
    assert stage.engine.calls == []
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")


async def test_other_services_may_if_the_policy_lets_them(stage: Stage) -> None:
    await stage.create()
    condition = {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::photos*"}}}
    await stage.call("PutResourcePolicy", ResourceArn=F, Policy=policy({**ALLOW, **condition}))
    targets = stage.functions.event_targets
    await targets.check(F, "s3.amazonaws.com", BUCKET, ACCOUNT)
    with pytest.raises(ServiceError, match="AccessDenied"):
        await targets.check(F, "s3.amazonaws.com", "arn:aws:s3:::music", ACCOUNT)
