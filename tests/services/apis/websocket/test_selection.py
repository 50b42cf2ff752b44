"""Which route, template or response a message means."""

import pytest

from mayfly.services.apis.websocket import selection
from mayfly.services.apis.websocket.authorizers import RefusedError, allows, judged

KNOWN = {"request.body.action": "send", "request.body.kind": "a", "request.header.x": "y"}


@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ("$request.body.action", "send"),
        ("${request.body.action}", "send"),
        ("${request.body.action}/${request.body.kind}", "send/a"),
        ("$request.body.nothing", None),
        ("${request.body.action}-${request.body.nothing}", None),
        ("$default", "$default"),
        ("\\$default", "$default"),
        ("200", "200"),
        ("", None),
        (None, None),
    ],
)
def test_an_expression_gives_a_key_or_none(expression: str | None, key: str | None) -> None:
    assert selection.selected(expression, KNOWN.get) == key


def test_a_place_in_a_message_is_found_as_text() -> None:
    document = {"action": "a", "detail": {"kind": 1, "list": [{"x": True}]}}
    assert selection.below(document, "action") == "a"
    assert selection.below(document, "detail.kind") == "1"
    assert selection.below(document, "detail.list[0].x") == "true"
    assert selection.below(document, "nothing") is None
    assert selection.below("text", "action") is None
    assert selection.below(document, "[") is None


def test_responses_are_chosen_by_key_by_pattern_or_by_default() -> None:
    keys = {"200": 1, "/4\\d{2}/": 2, "$default": 3}
    assert selection.matching(keys, "200") == "200"
    assert selection.matching(keys, "404") == "/4\\d{2}/"
    assert selection.matching(keys, "500") == "$default"
    assert selection.matching(keys, None) == "$default"
    assert selection.matching({"200": 1}, "500") is None
    assert selection.matching({"/(/": 1}, "500") is None


ARN = "arn:aws:execute-api:us-east-1:000000000000:abc/dev/$connect"


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}], True),
        ([{"Action": "execute-api:*", "Effect": "Allow", "Resource": ["x", "arn:aws:execute-api:*"]}], True),
        ([{"Action": "*", "Effect": "Allow", "Resource": "arn:aws:execute-api:*:abc/prod/*"}], False),
        (
            [
                {"Action": "*", "Effect": "Allow", "Resource": "*"},
                {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": ARN},
            ],
            False,
        ),
        ([{"Action": "s3:GetObject", "Effect": "Allow", "Resource": "*"}], False),
        ([], False),
    ],
)
def test_a_policy_allows_or_not(statements: list[dict[str, object]], allowed: bool) -> None:
    assert allows(statements, ARN) is allowed


@pytest.mark.parametrize("answer", [b"", b"null", b"[]", b"{}", b'{"principalId": "p", "policyDocument": 1}'])
def test_an_authorizer_that_says_nothing_of_use_refuses(answer: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        judged(answer, ARN)
    assert refused.value.status == 500
