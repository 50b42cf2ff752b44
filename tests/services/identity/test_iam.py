"""iam: roles, their policies, managed policies, users and access keys."""

from typing import Any
from urllib.parse import unquote

import pytest

from mayfly.clock import ManualClock, utc
from mayfly.services.contract import Principal, ServiceError

from .conftest import ACCOUNT, Call
from .documents import LAMBDA_TRUST, READ_S3, trust

pytestmark = pytest.mark.asyncio


async def refused(call: Call, operation: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        await call(operation, **params)
    return caught.value.code, caught.value.message


async def make_role(iam: Call, name: str = "worker", **more: Any) -> dict[str, Any]:
    reply = await iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=LAMBDA_TRUST, **more)
    role: dict[str, Any] = reply["Role"]
    return role


async def test_a_role_is_made_and_read_back_with_everything(iam: Call, clock: ManualClock) -> None:
    made = await make_role(iam, Path="/team/", Description="d", Tags=[{"Key": "k", "Value": "v"}])
    read = (await iam("GetRole", RoleName="worker"))["Role"]
    assert read == made
    assert read["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/team/worker"
    assert read["RoleId"].startswith("AROA")
    assert len(read["RoleId"]) == 21
    assert unquote(read["AssumeRolePolicyDocument"]) == LAMBDA_TRUST
    assert read["CreateDate"] == utc(clock.now())
    assert read["MaxSessionDuration"] == 3600


async def test_names_are_taken_whatever_their_case_and_found_only_in_their_own(iam: Call) -> None:
    await make_role(iam, "Worker")
    answer = await refused(iam, "CreateRole", RoleName="worker", AssumeRolePolicyDocument=LAMBDA_TRUST)
    assert answer == ("EntityAlreadyExists", "Role with name worker already exists.")
    answer = await refused(iam, "GetRole", RoleName="worker")
    assert answer == ("NoSuchEntity", "The role with name worker cannot be found.")


async def test_a_role_with_a_bad_trust_policy_is_not_made(iam: Call) -> None:
    code, _ = await refused(iam, "CreateRole", RoleName="r", AssumeRolePolicyDocument=READ_S3)
    assert code == "MalformedPolicyDocument"
    assert (await refused(iam, "GetRole", RoleName="r"))[0] == "NoSuchEntity"


async def test_a_trust_policy_above_its_quota_is_refused(iam: Call) -> None:
    policy = trust({"Service": [f"s{number}.amazonaws.com" for number in range(200)]})
    answer = await refused(iam, "CreateRole", RoleName="r", AssumeRolePolicyDocument=policy)
    assert answer == ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")


async def test_roles_are_listed_in_pages_and_by_path(iam: Call) -> None:
    for name in ("b", "A", "c"):
        await make_role(iam, name, Path="/x/" if name == "c" else "/")
    first = await iam("ListRoles", MaxItems=2)
    assert [role["RoleName"] for role in first["Roles"]] == ["A", "b"]
    assert first["IsTruncated"]
    second = await iam("ListRoles", MaxItems=2, Marker=first["Marker"])
    assert [role["RoleName"] for role in second["Roles"]] == ["c"]
    assert not second["IsTruncated"]
    assert "Marker" not in second
    under = await iam("ListRoles", PathPrefix="/x/")
    assert [role["RoleName"] for role in under["Roles"]] == ["c"]
    assert await refused(iam, "ListRoles", Marker="?") == ("ValidationError", "Invalid Marker.")


async def test_a_role_can_be_changed(iam: Call) -> None:
    await make_role(iam, MaxSessionDuration=7200)
    await iam("UpdateRole", RoleName="worker", Description="new")
    trusting = trust({"AWS": ACCOUNT})
    await iam("UpdateAssumeRolePolicy", RoleName="worker", PolicyDocument=trusting)
    role = (await iam("GetRole", RoleName="worker"))["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("new", 3600)
    assert unquote(role["AssumeRolePolicyDocument"]) == trusting


async def test_a_role_goes_only_once_nothing_hangs_on_it(iam: Call) -> None:
    await make_role(iam)
    aws_policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    await iam("PutRolePolicy", RoleName="worker", PolicyName="p", PolicyDocument=READ_S3)
    await iam("AttachRolePolicy", RoleName="worker", PolicyArn=aws_policy)
    answer = await refused(iam, "DeleteRole", RoleName="worker")
    assert answer == ("DeleteConflict", "Cannot delete entity, must delete policies first.")
    await iam("DeleteRolePolicy", RoleName="worker", PolicyName="p")
    answer = await refused(iam, "DeleteRole", RoleName="worker")
    assert answer == ("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    await iam("DetachRolePolicy", RoleName="worker", PolicyArn=aws_policy)
    await iam("DeleteRole", RoleName="worker")
    assert (await refused(iam, "DeleteRole", RoleName="worker"))[0] == "NoSuchEntity"


async def test_inline_policies_are_kept_replaced_and_listed(iam: Call) -> None:
    await make_role(iam)
    for name in ("two", "one", "one"):
        await iam("PutRolePolicy", RoleName="worker", PolicyName=name, PolicyDocument=READ_S3)
    assert (await iam("ListRolePolicies", RoleName="worker"))["PolicyNames"] == ["one", "two"]
    found = await iam("GetRolePolicy", RoleName="worker", PolicyName="one")
    assert unquote(found["PolicyDocument"]) == READ_S3
    answer = await refused(iam, "GetRolePolicy", RoleName="worker", PolicyName="three")
    assert answer == ("NoSuchEntity", "The role policy with name three cannot be found.")


async def test_inline_policies_share_one_quota(iam: Call) -> None:
    await make_role(iam)
    actions = ",".join(f'"s3:Action{number:04d}"' for number in range(400))
    policy = f'{{"Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}]}}'
    await iam("PutRolePolicy", RoleName="worker", PolicyName="one", PolicyDocument=policy)
    code, message = await refused(iam, "PutRolePolicy", RoleName="worker", PolicyName="two", PolicyDocument=policy)
    assert (code, message) == ("LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role worker")
    assert (await iam("ListRolePolicies", RoleName="worker"))["PolicyNames"] == ["one"]


async def test_a_managed_policy_can_be_attached_and_then_not_deleted(iam: Call) -> None:
    await make_role(iam)
    policy = (await iam("CreatePolicy", PolicyName="read", PolicyDocument=READ_S3))["Policy"]
    assert policy["Arn"] == f"arn:aws:iam::{ACCOUNT}:policy/read"
    await iam("AttachRolePolicy", RoleName="worker", PolicyArn=policy["Arn"])
    await iam("AttachRolePolicy", RoleName="worker", PolicyArn=policy["Arn"])
    attached = (await iam("ListAttachedRolePolicies", RoleName="worker"))["AttachedPolicies"]
    assert attached == [{"PolicyName": "read", "PolicyArn": policy["Arn"]}]
    assert (await iam("GetPolicy", PolicyArn=policy["Arn"]))["Policy"]["AttachmentCount"] == 1
    answer = await refused(iam, "DeletePolicy", PolicyArn=policy["Arn"])
    assert answer == ("DeleteConflict", "Cannot delete a policy attached to entities.")
    await iam("DetachRolePolicy", RoleName="worker", PolicyArn=policy["Arn"])
    await iam("DeletePolicy", PolicyArn=policy["Arn"])
    assert (await refused(iam, "GetPolicy", PolicyArn=policy["Arn"]))[0] == "NoSuchEntity"


async def test_a_managed_policy_has_one_version(iam: Call) -> None:
    arn = (await iam("CreatePolicy", PolicyName="read", PolicyDocument=READ_S3))["Policy"]["Arn"]
    version = (await iam("GetPolicyVersion", PolicyArn=arn, VersionId="v1"))["PolicyVersion"]
    assert unquote(version["Document"]) == READ_S3
    assert [item["VersionId"] for item in (await iam("ListPolicyVersions", PolicyArn=arn))["Versions"]] == ["v1"]
    assert (await refused(iam, "GetPolicyVersion", PolicyArn=arn, VersionId="v2"))[0] == "NoSuchEntity"


async def test_only_policies_that_exist_can_be_attached_except_those_of_aws(iam: Call) -> None:
    await make_role(iam)
    arn = f"arn:aws:iam::{ACCOUNT}:policy/none"
    assert (await refused(iam, "AttachRolePolicy", RoleName="worker", PolicyArn=arn))[0] == "NoSuchEntity"
    answer = await refused(iam, "AttachRolePolicy", RoleName="worker", PolicyArn="arn:aws:s3:::bucket-of-mine")
    assert answer[0] == "InvalidInput"
    for number in range(10):
        await iam("AttachRolePolicy", RoleName="worker", PolicyArn=f"arn:aws:iam::aws:policy/P{number}")
    answer = await refused(iam, "AttachRolePolicy", RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/P10")
    assert answer == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")


async def test_policies_are_listed_by_scope_and_attachment(iam: Call) -> None:
    await make_role(iam)
    for name in ("a", "b"):
        await iam("CreatePolicy", PolicyName=name, PolicyDocument=READ_S3)
    await iam("AttachRolePolicy", RoleName="worker", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/b")

    async def names(**params: Any) -> list[str]:
        return [policy["PolicyName"] for policy in (await iam("ListPolicies", **params))["Policies"]]

    assert await names(Scope="Local") == ["a", "b"]
    assert await names(OnlyAttached=True) == ["b"]
    assert await names(Scope="AWS") == []


async def test_tags_come_go_and_are_limited_to_fifty(iam: Call) -> None:
    await make_role(iam, Tags=[{"Key": "a", "Value": "1"}])
    await iam("TagRole", RoleName="worker", Tags=[{"Key": "A", "Value": "2"}, {"Key": "b", "Value": "3"}])
    tags = (await iam("ListRoleTags", RoleName="worker"))["Tags"]
    assert tags == [{"Key": "A", "Value": "2"}, {"Key": "b", "Value": "3"}]
    await iam("UntagRole", RoleName="worker", TagKeys=["b"])
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert (await refused(iam, "TagRole", RoleName="worker", Tags=many))[0] == "LimitExceeded"
    assert len((await iam("ListRoleTags", RoleName="worker"))["Tags"]) == 1
    twice = [{"Key": "x", "Value": "1"}, {"Key": "X", "Value": "2"}]
    assert (await refused(iam, "TagRole", RoleName="worker", Tags=twice))[0] == "InvalidInput"


async def test_a_permissions_boundary_is_refused_because_it_would_bound_nothing(iam: Call) -> None:
    boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
    code, message = await refused(
        iam, "CreateRole", RoleName="r", AssumeRolePolicyDocument=LAMBDA_TRUST, PermissionsBoundary=boundary
    )
    assert code == "NotImplemented"
    assert "PermissionsBoundary" in message


async def test_users_are_made_listed_and_deleted(iam: Call) -> None:
    user = (await iam("CreateUser", UserName="bob"))["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert user["UserId"].startswith("AIDA")
    assert await refused(iam, "CreateUser", UserName="Bob") == (
        "EntityAlreadyExists",
        "User with name Bob already exists.",
    )
    assert [item["UserName"] for item in (await iam("ListUsers"))["Users"]] == ["bob"]
    await iam("DeleteUser", UserName="bob")
    assert await refused(iam, "GetUser", UserName="bob") == (
        "NoSuchEntity",
        "The user with name bob cannot be found.",
    )


async def test_a_user_has_two_access_keys_at_most_and_goes_after_them(iam: Call) -> None:
    await iam("CreateUser", UserName="bob")
    keys = [(await iam("CreateAccessKey", UserName="bob"))["AccessKey"] for _ in range(2)]
    assert {len(key["SecretAccessKey"]) for key in keys} == {40}
    assert await refused(iam, "CreateAccessKey", UserName="bob") == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    listed = (await iam("ListAccessKeys", UserName="bob"))["AccessKeyMetadata"]
    assert {item["AccessKeyId"] for item in listed} == {key["AccessKeyId"] for key in keys}
    assert "SecretAccessKey" not in listed[0]
    assert await refused(iam, "DeleteUser", UserName="bob") == (
        "DeleteConflict",
        "Cannot delete entity, must delete access keys first.",
    )
    for key in keys:
        await iam("DeleteAccessKey", UserName="bob", AccessKeyId=key["AccessKeyId"])
    await iam("DeleteUser", UserName="bob")


async def test_an_access_key_is_changed_only_through_its_own_user(iam: Call) -> None:
    for name in ("bob", "eve"):
        await iam("CreateUser", UserName=name)
    key = (await iam("CreateAccessKey", UserName="bob"))["AccessKey"]["AccessKeyId"]
    answer = await refused(iam, "DeleteAccessKey", UserName="eve", AccessKeyId=key)
    assert answer == ("NoSuchEntity", f"The Access Key with name {key} cannot be found.")
    await iam("UpdateAccessKey", UserName="bob", AccessKeyId=key, Status="Inactive")
    (listed,) = (await iam("ListAccessKeys", UserName="bob"))["AccessKeyMetadata"]
    assert listed["Status"] == "Inactive"


async def test_without_a_name_the_caller_is_meant(iam: Call) -> None:
    await iam("CreateUser", UserName="bob")
    bob = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/bob", "AIDA1")
    assert (await iam("GetUser", bob))["User"]["UserName"] == "bob"
    assert (await iam("GetUser"))["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert (await refused(iam, "CreateAccessKey"))[0] == "ValidationError"
