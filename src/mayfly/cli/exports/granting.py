"""Roles, managed policies, users and groups. Access keys and passwords are nobody's to take along."""

from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.things import Name, Reading, Thing, said, tags_of

ROLE, POLICY = "AWS::IAM::Role", "AWS::IAM::ManagedPolicy"
_SERVICES = "/aws-service-role/"  # the path of roles that services make for themselves
_CALLERS = ("lambda", "events", "scheduler", "pipes", "codedeploy", "apigateway")  # who may be given a role
_BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def policies(reading: Reading) -> Iterator[Thing]:
    client = reading.client("iam")
    for found in reading.pages("iam", "list_policies", "Policies", Scope="Local"):
        arn = found["Arn"]
        if reading.is_held(POLICY, arn):
            continue
        if len(list(reading.pages("iam", "list_policy_versions", "Versions", PolicyArn=arn))) > 1:
            reading.notes.append(f"policy {found['PolicyName']}: only its default version is exported")
        if list(reading.pages("iam", "list_policy_tags", "Tags", PolicyArn=arn)):
            reading.notes.append(f"policy {found['PolicyName']}: templates cannot give policies tags: left out")
        version = client.get_policy_version(PolicyArn=arn, VersionId=found["DefaultVersionId"])["PolicyVersion"]
        properties = {
            "ManagedPolicyName": found["PolicyName"],
            **said(client.get_policy(PolicyArn=arn)["Policy"], "Description Path", {"Path": "/"}),
            "PolicyDocument": version["Document"],
        }
        yield Thing(POLICY, f"{found['PolicyName']} policy", arn, properties)


def roles(reading: Reading) -> Iterator[Thing]:
    """Those that there are, and those that functions and others name though there is none, which AWS refuses."""
    client = reading.client("iam")
    there = set()
    for listed in reading.pages("iam", "list_roles", "Roles"):
        name, arn = listed["RoleName"], listed["Arn"]
        there.add(arn)
        if reading.is_held(ROLE, name):
            continue
        if listed["Path"].startswith(_SERVICES):
            yield from _of_service(reading, listed)
            continue
        found = client.get_role(RoleName=name)["Role"]
        properties = {
            "RoleName": name,
            **said(found, "Path Description MaxSessionDuration", {"Path": "/", "MaxSessionDuration": 3600}),
            "AssumeRolePolicyDocument": found["AssumeRolePolicyDocument"],
            **_granted(reading, "role", {"RoleName": name}),
            **tags_of(found.get("Tags")),
        }
        yield Thing(ROLE, f"{name} role", name, properties, {"Arn": arn})
    for arn in sorted(reading.roles - there):
        name = arn.rpartition("/")[2]
        if not arn.startswith(f"arn:aws:iam::{reading.connection.account}:role/"):
            continue
        reading.notes.append(f"there is no role {name}: the template has one that may write logs; AWS asks for one")
        services = [f"{one}.amazonaws.com" for one in _CALLERS]
        trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        properties = {
            "RoleName": name,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "ManagedPolicyArns": [_BASIC],
        }
        yield Thing(ROLE, f"{name} role", name, properties, {"Arn": arn})


def _of_service(reading: Reading, listed: Mapping[str, Any]) -> Iterator[Thing]:
    """A role that a service was given, which IAM names."""
    kind, name = "AWS::IAM::ServiceLinkedRole", listed["RoleName"]
    if not reading.is_held(kind, name):
        properties = {"AWSServiceName": listed["Path"].strip("/").rpartition("/")[2], **said(listed, "Description")}
        suffix = name.partition("_")[2]
        properties |= {"CustomSuffix": suffix} if suffix else {}
        yield Thing(kind, f"{name} role", name, properties)


def profiles(reading: Reading) -> Iterator[Thing]:
    """Instance profiles, of which a template has those with a role."""
    kind = "AWS::IAM::InstanceProfile"
    for found in reading.pages("iam", "list_instance_profiles", "InstanceProfiles"):
        name, roles = found["InstanceProfileName"], [role["RoleName"] for role in found["Roles"]]
        if reading.is_held(kind, name):
            continue
        if not roles:
            reading.notes.append(f"instance profile {name} has no role, and no template can make one: left out")
            continue
        told = {"InstanceProfileName": name, **said(found, "Path", {"Path": "/"})}
        told["Roles"] = [Name(ROLE, role) for role in roles]
        yield Thing(kind, f"{name} profile", name, told, {"Arn": found["Arn"]})


def people(reading: Reading) -> Iterator[Thing]:
    group_kind, user_kind = "AWS::IAM::Group", "AWS::IAM::User"
    for listed in reading.pages("iam", "list_groups", "Groups"):
        name = listed["GroupName"]
        if not reading.is_held(group_kind, name):
            properties = {"GroupName": name, **said(listed, "Path", {"Path": "/"})}
            properties |= _granted(reading, "group", {"GroupName": name})
            yield Thing(group_kind, f"{name} group", name, properties, {"Arn": listed["Arn"]})
    for listed in reading.pages("iam", "list_users", "Users"):
        name = listed["UserName"]
        if reading.is_held(user_kind, name):
            continue
        properties = {"UserName": name, **said(listed, "Path", {"Path": "/"})}
        properties |= tags_of(reading.client("iam").get_user(UserName=name)["User"].get("Tags"))
        groups = list(reading.pages("iam", "list_groups_for_user", "Groups", UserName=name))
        properties |= {"Groups": [one["GroupName"] for one in groups]} if groups else {}
        properties |= _granted(reading, "user", {"UserName": name})
        after = tuple(one["Arn"] for one in groups)
        yield Thing(user_kind, f"{name} user", name, properties, {"Arn": listed["Arn"]}, after=after)
        if any(reading.pages("iam", "list_access_keys", "AccessKeyMetadata", UserName=name)):
            reading.notes.append(
                f"user {name}: access keys are not exported; make others where the template is deployed"
            )


def _granted(reading: Reading, word: str, whose: Mapping[str, str]) -> dict[str, Any]:
    """Managed and inline policies."""
    client = reading.client("iam")
    attached = [
        one["PolicyArn"] for one in reading.pages("iam", f"list_attached_{word}_policies", "AttachedPolicies", **whose)
    ]
    get = getattr(client, f"get_{word}_policy")
    inline = [
        {"PolicyName": name, "PolicyDocument": get(**whose, PolicyName=name)["PolicyDocument"]}
        for name in reading.pages("iam", f"list_{word}_policies", "PolicyNames", **whose)
    ]
    return ({"ManagedPolicyArns": attached} if attached else {}) | ({"Policies": inline} if inline else {})
