"""Who a trust policy admits: closed by default."""

from typing import Any

import pytest

from mayfly.services.identity.policy_documents import parse_trust_policy
from mayfly.services.identity.trust import Caller, trusts

from .documents import trust

ACCOUNT = "123456789012"
ROOT = Caller(ACCOUNT, (f"arn:aws:iam::{ACCOUNT}:root",), delegated=True)
BOB = Caller(ACCOUNT, (f"arn:aws:iam::{ACCOUNT}:user/bob",))
LAMBDA = Caller(ACCOUNT, service="lambda.amazonaws.com")


def admits(policy: str, caller: Caller, **context: str) -> bool:
    return trusts(parse_trust_policy(policy), caller, {key.replace("_", ":"): value for key, value in context.items()})


@pytest.mark.parametrize(
    ("principal", "caller", "expected"),
    [
        ({"Service": "lambda.amazonaws.com"}, LAMBDA, True),
        ({"Service": ["ecs.amazonaws.com", "lambda.amazonaws.com"]}, LAMBDA, True),
        ({"Service": "ecs.amazonaws.com"}, LAMBDA, False),
        ({"AWS": "*"}, LAMBDA, False),
        ({"AWS": ACCOUNT}, ROOT, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ROOT, True),
        ({"AWS": "999999999999"}, ROOT, False),
        ("*", ROOT, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}, BOB, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/bobby"}, BOB, False),
        ({"Service": "lambda.amazonaws.com"}, ROOT, False),
    ],
)
def test_a_principal_that_is_named_is_admitted(principal: Any, caller: Caller, expected: bool) -> None:
    assert admits(trust(principal), caller) is expected


def test_naming_the_account_is_not_enough_for_a_user_whose_policies_are_not_evaluated() -> None:
    assert not admits(trust({"AWS": ACCOUNT}), BOB)


def test_a_deny_wins_over_an_allow() -> None:
    allow, deny = parse_trust_policy(trust("*")) + parse_trust_policy(trust({"AWS": ACCOUNT}, effect="Deny"))
    assert not trusts([allow, deny], ROOT, {})
    assert not trusts([deny, allow], ROOT, {})


def test_the_action_must_be_covered() -> None:
    assert admits(trust("*", action="sts:*"), ROOT)
    assert not admits(trust("*", action="sts:TagSession"), ROOT)


@pytest.mark.parametrize(
    ("condition", "external_id", "expected"),
    [
        ({"StringEquals": {"sts:ExternalId": "x"}}, "x", True),
        ({"StringEquals": {"sts:externalid": ["w", "x"]}}, "x", True),
        ({"StringEquals": {"sts:ExternalId": "x"}}, "y", False),
        ({"StringEquals": {"sts:ExternalId": "x"}}, None, False),
        ({"StringEqualsIfExists": {"sts:ExternalId": "x"}}, None, True),
        ({"StringNotEquals": {"sts:ExternalId": "x"}}, "y", True),
        ({"StringLike": {"sts:ExternalId": "a*z"}}, "abz", True),
        ({"Null": {"sts:ExternalId": "true"}}, None, True),
        ({"Null": {"sts:ExternalId": "true"}}, "x", False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "x", False),
        ({"StringEquals": {"sts:ExternalId": "x"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}}, "x", False),
    ],
)
def test_an_allow_holds_only_if_its_conditions_are_known_to_hold(
    condition: Any, external_id: str | None, expected: bool
) -> None:
    context = {} if external_id is None else {"sts_ExternalId": external_id}
    assert admits(trust("*", condition), ROOT, **context) is expected


def test_a_deny_holds_unless_its_conditions_are_known_not_to_hold() -> None:
    allow = parse_trust_policy(trust("*"))
    unknown = parse_trust_policy(trust("*", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, effect="Deny"))
    elsewhere = parse_trust_policy(trust("*", {"StringEquals": {"sts:ExternalId": "x"}}, effect="Deny"))
    assert not trusts(allow + unknown, ROOT, {})
    assert trusts(allow + elsewhere, ROOT, {"sts:ExternalId": "y"})
