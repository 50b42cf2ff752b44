"""Rows to domain values: the look-ups that several groups of operations share."""

from collections.abc import Iterable
from typing import Any

from mayfly.services.identity import statements
from mayfly.services.identity.faults import invalid_input, no_such, no_such_policy, no_such_profile, quota_exceeded
from mayfly.services.identity.model import Group, InstanceProfile, Policy, Role, User, folded
from mayfly.store.api import Reader, Tx

TAGS_LIMIT = 50  # of one role, user or policy


def find_role(reader: Reader, account: str, name: str) -> Role | None:
    row = reader.one(statements.ROLE_BY_NAME, {"account": account, "folded": folded(name), "name": name})
    return Role(*row) if row else None


def role_named(reader: Reader, account: str, name: str) -> Role:
    """`find_role`; `ServiceError` NoSuchEntity."""
    role = find_role(reader, account, name)
    if role is None:
        raise no_such("role", name)
    return role


def role_of_arn(reader: Reader, account: str, arn: str) -> Role | None:
    """The role of `account` that `arn` names, path included; None if there is none."""
    role = find_role(reader, account, arn.rpartition("/")[2])
    return role if role is not None and role.arn == arn else None


def find_user(reader: Reader, account: str, name: str) -> User | None:
    row = reader.one(statements.USER_BY_NAME, {"account": account, "folded": folded(name), "name": name})
    return User(*row) if row else None


def user_named(reader: Reader, account: str, name: str) -> User:
    """`find_user`; `ServiceError` NoSuchEntity."""
    user = find_user(reader, account, name)
    if user is None:
        raise no_such("user", name)
    return user


def group_named(reader: Reader, account: str, name: str) -> Group:
    """`ServiceError` NoSuchEntity."""
    row = reader.one(statements.GROUP_BY_NAME, {"account": account, "folded": folded(name), "name": name})
    if row is None:
        raise no_such("group", name)
    return Group(*row)


def profile_named(reader: Reader, account: str, name: str) -> InstanceProfile:
    """`ServiceError` NoSuchEntity."""
    row = reader.one(statements.PROFILE_BY_NAME, {"account": account, "folded": folded(name), "name": name})
    if row is None:
        raise no_such_profile(name)
    return InstanceProfile(*row)


def policy_of_arn(reader: Reader, arn: str) -> Policy:
    """`ServiceError` NoSuchEntity."""
    row = reader.one(statements.POLICY_BY_ARN, {"arn": arn})
    if row is None:
        raise no_such_policy(arn)
    return Policy(*row)


def tags_of(reader: Reader, owner_id: str, after: str = "", limit: int = TAGS_LIMIT) -> list[dict[str, str]]:
    """Tags in the form of the wire, by key."""
    rows = reader.all(statements.TAGS_PAGE, {"owner_id": owner_id, "after": after, "limit": limit})
    return [{"Key": name, "Value": value} for name, value, _ in rows]


def put_tags(tx: Tx, owner_id: str, tags: Iterable[Any]) -> None:
    """Add or replace tags; `ServiceError` InvalidInput for a key given twice, LimitExceeded above 50 tags."""
    tags = list(tags)
    if len({folded(tag["Key"]) for tag in tags}) != len(tags):
        raise invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    tx.many(
        statements.TAG_PUT,
        [
            {"owner_id": owner_id, "folded": folded(tag["Key"]), "name": tag["Key"], "value": tag["Value"]}
            for tag in tags
        ],
    )
    if len(tags_of(tx, owner_id, limit=TAGS_LIMIT + 1)) > TAGS_LIMIT:
        raise quota_exceeded("TagsPerEntity", TAGS_LIMIT)


def remove_tags(tx: Tx, owner_id: str, keys: Iterable[str]) -> None:
    for key in keys:
        tx.run(statements.TAG_DELETE, {"owner_id": owner_id, "folded": folded(key)})
