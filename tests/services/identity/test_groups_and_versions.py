"""Groups, the policies of users and groups, versions of policies, instance profiles, roles of services."""

import json
from typing import Any
from urllib.parse import unquote

import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import ONCE, RequestContext, ServiceError
from mayfly.services.identity.on_the_wire import IdentityOnTheWire
from mayfly.services.identity.service import IdentityService
from tests.services.identity.conftest import ACCOUNT, ROOT, Call

ALLOW = json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
DENY = json.dumps({"Statement": [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}]})
TRUST = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)


async def refused(iam: Call, operation: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        await iam(operation, **params)
    return caught.value.code, caught.value.message


async def test_a_group_lists_its_users_by_pages_and_is_deleted_when_nobody_is_in_it(iam: Call) -> None:
    await iam("CreateGroup", GroupName="staff", Path="/p/")
    for name in ("b", "a", "c"):
        await iam("CreateUser", UserName=name)
        await iam("AddUserToGroup", GroupName="staff", UserName=name)
    await iam("AddUserToGroup", GroupName="staff", UserName="a")
    page = await iam("GetGroup", GroupName="staff", MaxItems=2)
    rest = await iam("GetGroup", GroupName="staff", MaxItems=2, Marker=page["Marker"])
    assert page["Group"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/p/staff"
    assert [user["UserName"] for user in page["Users"] + rest["Users"]] == ["a", "b", "c"]
    assert await refused(iam, "DeleteGroup", GroupName="staff") == (
        "DeleteConflict",
        "Cannot delete entity, must remove users from group first.",
    )
    assert (await refused(iam, "DeleteUser", UserName="a"))[0] == "DeleteConflict"
    for name in ("a", "b", "c"):
        await iam("RemoveUserFromGroup", GroupName="staff", UserName=name)
    await iam("DeleteUser", UserName="a")
    await iam("DeleteGroup", GroupName="staff")
    assert await refused(iam, "GetGroup", GroupName="staff") == (
        "NoSuchEntity",
        "The group with name staff cannot be found.",
    )


async def test_a_user_is_in_ten_groups_at_most(iam: Call) -> None:
    await iam("CreateUser", UserName="u")
    for number in range(11):
        await iam("CreateGroup", GroupName=f"g{number:02}")
    for number in range(10):
        await iam("AddUserToGroup", GroupName=f"g{number:02}", UserName="u")
    assert (await refused(iam, "AddUserToGroup", GroupName="g10", UserName="u"))[0] == "LimitExceeded"
    groups = (await iam("ListGroupsForUser", UserName="u"))["Groups"]
    assert [group["GroupName"] for group in groups] == [f"g{number:02}" for number in range(10)]


@pytest.mark.parametrize(("word", "limit"), [("User", 2048), ("Group", 5120)])
async def test_users_and_groups_have_policies_that_are_listed_and_keep_them_from_being_deleted(
    iam: Call, word: str, limit: int
) -> None:
    who = {f"{word}Name": "x"}
    await iam(f"Create{word}", **who)
    await iam(f"Put{word}Policy", **who, PolicyName="own", PolicyDocument=ALLOW)
    found = await iam(f"Get{word}Policy", **who, PolicyName="own")
    assert unquote(found["PolicyDocument"]) == ALLOW
    assert (await iam(f"List{word}Policies", **who))["PolicyNames"] == ["own"]
    arn = (await iam("CreatePolicy", PolicyName="m", PolicyDocument=ALLOW))["Policy"]["Arn"]
    await iam(f"Attach{word}Policy", **who, PolicyArn=arn)
    assert (await iam(f"ListAttached{word}Policies", **who))["AttachedPolicies"] == [
        {"PolicyName": "m", "PolicyArn": arn}
    ]
    assert (await iam("GetPolicy", PolicyArn=arn))["Policy"]["AttachmentCount"] == 1
    entities = await iam("ListEntitiesForPolicy", PolicyArn=arn)
    assert [one[f"{word}Name"] for one in entities[f"Policy{word}s"]] == ["x"]
    assert (await refused(iam, "DeletePolicy", PolicyArn=arn))[0] == "DeleteConflict"
    assert "delete policies first" in (await refused(iam, f"Delete{word}", **who))[1]
    await iam(f"Delete{word}Policy", **who, PolicyName="own")
    assert "detach all policies first" in (await refused(iam, f"Delete{word}", **who))[1]
    await iam(f"Detach{word}Policy", **who, PolicyArn=arn)
    large = json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:" + "x" * limit}})
    assert (await refused(iam, f"Put{word}Policy", **who, PolicyName="own", PolicyDocument=large))[0] == "LimitExceeded"
    await iam(f"Delete{word}", **who)


async def test_a_policy_has_five_versions_at_most_and_the_default_one_counts(iam: Call, clock: ManualClock) -> None:
    arn = (await iam("CreatePolicy", PolicyName="p", PolicyDocument=ALLOW))["Policy"]["Arn"]
    clock.advance(1)
    await iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DENY, SetAsDefault=True)
    assert (await iam("GetPolicy", PolicyArn=arn))["Policy"]["DefaultVersionId"] == "v2"
    for _ in range(3):
        await iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=ALLOW)
    code, message = await refused(iam, "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=ALLOW)
    assert (code, "up to 5 versions" in message) == ("LimitExceeded", True)
    assert (await refused(iam, "DeletePolicyVersion", PolicyArn=arn, VersionId="v2"))[0] == "DeleteConflict"
    await iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v5")
    made = await iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=ALLOW)
    assert made["PolicyVersion"]["VersionId"] == "v6"  # a number is not given twice
    await iam("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v1")
    shown = (await iam("ListPolicyVersions", PolicyArn=arn))["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in shown] == [
        ("v6", False), ("v4", False), ("v3", False), ("v2", False), ("v1", True)
    ]  # fmt: skip
    found = await iam("GetPolicyVersion", PolicyArn=arn, VersionId="v2")
    assert unquote(found["PolicyVersion"]["Document"]) == DENY
    assert (await refused(iam, "DeletePolicy", PolicyArn=arn))[0] == "DeleteConflict"
    for version in ("v6", "v4", "v3", "v2"):
        await iam("DeletePolicyVersion", PolicyArn=arn, VersionId=version)
    await iam("DeletePolicy", PolicyArn=arn)
    assert (await refused(iam, "GetPolicyVersion", PolicyArn=arn, VersionId="v1"))[0] == "NoSuchEntity"


async def test_an_instance_profile_holds_one_role_which_cannot_go_before_it(iam: Call) -> None:
    await iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
    made = await iam("CreateInstanceProfile", InstanceProfileName="i", Tags=[{"Key": "k", "Value": "v"}])
    assert made["InstanceProfile"]["Roles"] == []
    await iam("AddRoleToInstanceProfile", InstanceProfileName="i", RoleName="r")
    assert (await refused(iam, "AddRoleToInstanceProfile", InstanceProfileName="i", RoleName="r"))[0] == "LimitExceeded"
    (profile,) = (await iam("ListInstanceProfilesForRole", RoleName="r"))["InstanceProfiles"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["r"]
    assert "instance profile first" in (await refused(iam, "DeleteRole", RoleName="r"))[1]
    assert "instance profile first" in (await refused(iam, "DeleteInstanceProfile", InstanceProfileName="i"))[1]
    await iam("RemoveRoleFromInstanceProfile", InstanceProfileName="i", RoleName="r")
    await iam("DeleteInstanceProfile", InstanceProfileName="i")
    await iam("DeleteRole", RoleName="r")
    assert await refused(iam, "GetInstanceProfile", InstanceProfileName="i") == (
        "NoSuchEntity",
        "Instance Profile i cannot be found.",
    )


async def test_the_role_of_a_service_is_called_after_it_and_deleted_as_such(iam: Call) -> None:
    role = (await iam("CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com"))["Role"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    again = await refused(iam, "CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com")
    assert again[0] == "InvalidInput"
    task = (await iam("DeleteServiceLinkedRole", RoleName="AWSServiceRoleForECS"))["DeletionTaskId"]
    assert await iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task) == {"Status": "SUCCEEDED"}
    assert (await refused(iam, "GetRole", RoleName="AWSServiceRoleForECS"))[0] == "NoSuchEntity"


async def test_a_user_and_a_group_may_be_renamed_but_not_to_a_name_that_is_taken(iam: Call) -> None:
    for name in ("one", "two"):
        await iam("CreateUser", UserName=name)
        await iam("CreateGroup", GroupName=name)
    await iam("UpdateUser", UserName="one", NewUserName="three", NewPath="/p/")
    await iam("UpdateGroup", GroupName="one", NewGroupName="ONE")
    assert (await iam("GetUser", UserName="three"))["User"]["Path"] == "/p/"
    assert (await iam("GetGroup", GroupName="ONE"))["Group"]["GroupName"] == "ONE"
    assert (await refused(iam, "UpdateUser", UserName="three", NewUserName="TWO"))[0] == "EntityAlreadyExists"
    assert (await refused(iam, "UpdateGroup", GroupName="ONE", NewGroupName="two"))[0] == "EntityAlreadyExists"


async def test_who_asks_twice_for_the_same_key_gets_it_twice(iam: Call, identity: IdentityService) -> None:
    await iam("CreateUser", UserName="u")
    context = RequestContext("r", ACCOUNT, "us-east-1", ROOT, "http://127.0.0.1:4566", headers={ONCE: "mine"})
    create = IdentityOnTheWire(identity).iam.operations["CreateAccessKey"]
    first = await create(context, {"UserName": "u"})
    assert await create(context, {"UserName": "u"}) == first
    other = await iam("CreateAccessKey", UserName="u")
    assert other["AccessKey"]["AccessKeyId"] != first["AccessKey"]["AccessKeyId"]


async def test_the_account_is_summed_up(iam: Call) -> None:
    await iam("CreateUser", UserName="u")
    await iam("CreateGroup", GroupName="g")
    summary = (await iam("GetAccountSummary"))["SummaryMap"]
    assert (summary["Users"], summary["Groups"], summary["Roles"], summary["MFADevices"]) == (1, 1, 0, 0)
    assert (await iam("ListAccountAliases"))["AccountAliases"] == []
