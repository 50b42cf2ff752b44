"""Policies of buckets: what may be one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.objects import bucket_policies

GOOD: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::b/*",
}


def document(**changes: Any) -> str:
    statement = {**GOOD, **changes}
    statement = {name: value for name, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("nonsense", "Policies must be valid JSON"),
        ("[]", "Policies must be valid JSON"),
        ('{"Version": "2012-10-17"}', "Missing required field Statement"),
        ('{"Version": "1999", "Statement": []}', "valid version string"),
        (document(Principal=None), "Missing required field Principal"),
        (document(Action=None), "Missing required field Action"),
        (document(Effect="Maybe"), "Invalid effect: Maybe"),
        (document(Action="get"), "Policy has invalid action"),
        (document(Resource="arn:aws:s3:::other/*"), "Policy has invalid resource"),
        (document(Colour="red"), "Unknown field Colour"),
        (document(Sid="x" * 30_000), "maximum allowed document size"),
    ],
)
def test_what_is_no_policy_of_the_bucket_is_malformed(policy: str, message: str) -> None:
    with pytest.raises(ServiceError, match=message) as caught:
        bucket_policies.check("b", policy)
    assert caught.value.code == "MalformedPolicy"


@pytest.mark.parametrize("resource", ["arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::*", "*"])
def test_resources_are_of_the_bucket_or_wild(resource: str) -> None:
    bucket_policies.check("b", document(Resource=[resource]))


ANY = st.recursive(st.none() | st.booleans() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one))


@given(ANY)
def test_no_json_of_any_shape_is_a_policy_by_accident(value: Any) -> None:
    with pytest.raises(ServiceError) as caught:
        bucket_policies.check("b", json.dumps({"Statement": value}))
    assert caught.value.code == "MalformedPolicy"


def test_a_policy_is_read_back_as_it_was_put_and_makes_nothing_public(client: Callable[..., Any]) -> None:
    s3, bucket = client("s3"), "bucket-policies"
    s3.create_bucket(Bucket=bucket)
    policy = document(Resource=f"arn:aws:s3:::{bucket}/*")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": False}
    s3.delete_bucket_policy(Bucket=bucket)
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket)
    with pytest.raises(ClientError, match="MalformedPolicy"):
        s3.put_bucket_policy(Bucket=bucket, Policy="{}")
    s3.delete_bucket(Bucket=bucket)
