"""Policies of parameters: what they say, and when they are due."""

import json
from typing import Any

import pytest

from mayfly.services.configs.parameters import policies
from mayfly.services.contract import ServiceError

NOW = 1_700_000_000.0
EXPIRES = {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": "2023-12-31T00:00:00.000Z"}}
EXPIRES_AT = 1_703_980_800.0


def notice(kind: str, **attributes: str) -> dict[str, Any]:
    return {"Type": kind, "Version": "1.0", "Attributes": attributes}


def test_moments_of_policies_are_known_when_a_parameter_is_put() -> None:
    given = [
        EXPIRES,
        notice("ExpirationNotification", Before="15", Unit="Days"),
        notice("NoChangeNotification", After="20", Unit="Hours"),
    ]
    found = policies.parse(json.dumps(given), NOW)
    assert [one.due_at for one in found] == [EXPIRES_AT, EXPIRES_AT - 15 * 86_400, NOW + 20 * 3600]
    assert policies.first_due(found) == NOW + 20 * 3600
    assert json.loads(found[0].text) == EXPIRES


def test_an_empty_policy_takes_all_away() -> None:
    assert policies.parse("[{}]", NOW) == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", "InvalidPolicyAttributeException"),
        ('["Expiration"]', "InvalidPolicyAttributeException"),
        (json.dumps([EXPIRES, EXPIRES]), "IncompatiblePolicyException"),
        (json.dumps([notice("ExpirationNotification", Before="1", Unit="Days")]), "IncompatiblePolicyException"),
        (json.dumps([notice("Forget", After="1", Unit="Days")]), "InvalidPolicyTypeException"),
        (json.dumps([notice("NoChangeNotification", After="1", Unit="Weeks")]), "InvalidPolicyAttributeException"),
        (json.dumps([notice("NoChangeNotification", After="1")]), "InvalidPolicyAttributeException"),
        (json.dumps([notice("Expiration", Timestamp="2020-01-01T00:00:00Z")]), "InvalidPolicyAttributeException"),
        (json.dumps([notice("Expiration", Timestamp="2030-01-01T00:00:00")]), "InvalidPolicyAttributeException"),
        (json.dumps([notice("NoChangeNotification", After="1", Unit="Days")] * 11), "PoliciesLimitExceededException"),
    ],
)
def test_policies_that_cannot_be_kept_are_refused(text: str, code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        policies.parse(text, NOW)
    assert caught.value.code == code
