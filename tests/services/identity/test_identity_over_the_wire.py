"""iam and sts with boto3, and credentials that work, or do not, on the real platform."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]


def acting(platform: Any, service: str, credentials: Any) -> Any:
    """A client of `service` that signs with other credentials than root's."""
    session: Any = boto3.session.Session()
    return session.client(
        service,
        endpoint_url=platform.url,
        region_name=platform.region,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
    )


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def trusting(principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_role_is_assumed_and_acts_until_it_is_deleted(platform: Any, client: Client) -> None:
    iam, sts = client("iam"), client("sts")
    role = iam.create_role(RoleName="wire-worker", AssumeRolePolicyDocument=trusting(platform.account))["Role"]
    assert iam.get_role(RoleName="wire-worker")["Role"]["AssumeRolePolicyDocument"]["Version"] == "2012-10-17"
    reply = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    who = acting(platform, "sts", reply["Credentials"]).get_caller_identity()
    assert who["Arn"] == reply["AssumedRoleUser"]["Arn"]
    acting(platform, "s3", reply["Credentials"]).list_buckets()
    iam.delete_role(RoleName="wire-worker")
    refused = acting(platform, "sts", reply["Credentials"])
    assert code_of(refused.get_caller_identity) == "InvalidClientTokenId"


def test_a_users_key_fails_closed_in_every_service(platform: Any, client: Client) -> None:
    iam = client("iam")
    user = iam.create_user(UserName="wire-bob")["User"]
    key = iam.create_access_key(UserName="wire-bob")["AccessKey"]
    assert acting(platform, "sts", key).get_caller_identity()["Arn"] == user["Arn"]
    for service, operation in (
        ("s3", "list_buckets"),
        ("dynamodb", "list_tables"),
        ("lambda", "list_functions"),
        ("logs", "describe_log_groups"),
        ("iam", "list_users"),
        ("cloudformation", "list_stacks"),
    ):
        assert code_of(getattr(acting(platform, service, key), operation)) in ("AccessDenied", "AccessDeniedException")
    role = iam.create_role(RoleName="wire-bobs", AssumeRolePolicyDocument=trusting(user["Arn"]))["Role"]
    credentials = acting(platform, "sts", key).assume_role(RoleArn=role["Arn"], RoleSessionName="bob")["Credentials"]
    acting(platform, "s3", credentials).list_buckets()
    iam.delete_access_key(UserName="wire-bob", AccessKeyId=key["AccessKeyId"])
    assert code_of(acting(platform, "sts", key).get_caller_identity) == "InvalidClientTokenId"
    iam.delete_user(UserName="wire-bob")
    iam.delete_role(RoleName="wire-bobs")


def test_iams_paginator_walks_all_pages(client: Client) -> None:
    iam = client("iam")
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        iam.create_user(UserName=name, Path="/pages/")
    pages = iam.get_paginator("list_users").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 2})
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    for name in names:
        iam.delete_user(UserName=name)


def test_errors_have_iams_codes(client: Client) -> None:
    iam = client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="wire-none")
    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_role(RoleName="wire-bad", AssumeRolePolicyDocument="{}")
