"""What policies of authorizers allow."""

from typing import Any

import pytest

from mayfly.services.apis.authorizers import policies

ROUTE = "arn:aws:execute-api:us-east-1:000000000000:abc/prod/GET/pets/1"


def said(effect: str, resource: Any = "*", action: Any = "execute-api:Invoke", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([], False),
        ([said("Allow")], True),
        (said("Allow"), True),
        ([said("Allow"), said("Deny")], False),
        ([said("Allow", "arn:aws:execute-api:*:*:abc/prod/GET/*")], True),
        ([said("Allow", "arn:aws:execute-api:*:*:abc/prod/POST/*")], False),
        ([said("Allow", ["x", ROUTE])], True),
        ([said("Allow", action="execute-api:*")], True),
        ([said("Allow", action="EXECUTE-API:invoke")], True),
        ([said("Allow", action="s3:*")], False),
        ([{"Effect": "Allow", "NotAction": "s3:*", "NotResource": "x"}], True),
        ([said("Allow", Condition={"StringEquals": {"aws:x": "1"}})], False),
        ([said("Allow", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], False),
        ([said("Allow"), said("Deny", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], False),
        ([said("Allow"), said("Deny", Condition={"StringEquals": {"aws:x": "1"}})], True),
    ],
)
def test_statements_decide_as_in_iam(statements: Any, allowed: bool) -> None:
    assert policies.allows({"Version": "2012-10-17", "Statement": statements}, ROUTE) is allowed


@pytest.mark.parametrize("document", [None, [], {}, {"Statement": [1]}, {"Statement": [{"Effect": "allow"}]}])
def test_what_is_no_policy_is_an_error(document: Any) -> None:
    with pytest.raises(ValueError, match="polic"):
        policies.allows(document, ROUTE)
