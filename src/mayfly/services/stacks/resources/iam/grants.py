"""Policies on roles, users and groups, for the types that put some there. What others put there stays."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from mayfly.services.stacks.resources.base import Caller
from mayfly.services.stacks.resources.reading import in_order
from mayfly.services.stacks.resources.schema import JSON, STRING, Items, Refused, fields

GONE = "NoSuchEntity"
POLICIES = Items(fields("PolicyName PolicyDocument", PolicyName=STRING, PolicyDocument=JSON))
NO_BOUNDARY = Refused("Policies are not evaluated yet, so it would limit nothing.")


class Kind(NamedTuple):
    """Whom policies are put on: "Role", "User" or "Group", as the names of operations have it."""

    word: str

    def named(self, name: str) -> dict[str, str]:
        return {f"{self.word}Name": name}


ROLE, USER, GROUP = Kind("Role"), Kind("User"), Kind("Group")
KINDS = {"Roles": ROLE, "Users": USER, "Groups": GROUP}


def text(document: Any) -> str:
    """A policy document as the text that IAM takes."""
    return document if isinstance(document, str) else json.dumps(document)


def document_of(given: Any, found: Any) -> Any:
    """A policy document that IAM answers, percent-encoded or decoded by a client, in the form of `given`."""
    read = json.loads(unquote(found)) if isinstance(found, str) else found
    return given if isinstance(given, str) and json.loads(given) == read else read


async def put(call: Caller, kind: Kind, owner: str, name: str, document: Any) -> None:
    """Put an inline policy, in place of one of that name."""
    what = {"PolicyName": name, "PolicyDocument": text(document)}
    await call("iam", f"Put{kind.word}Policy", **kind.named(owner), **what)


async def get(call: Caller, kind: Kind, owner: str, name: str, given: Any) -> Any:
    """The document of an inline policy, in the form of `given`; None if there is no such policy, or no such owner."""
    found = await call.unless(GONE, "iam", f"Get{kind.word}Policy", **kind.named(owner), PolicyName=name)
    return None if found is None else document_of(given, found["PolicyDocument"])


async def take(call: Caller, kind: Kind, owner: str, name: str) -> None:
    """Take an inline policy away, if it is there."""
    await call.unless(GONE, "iam", f"Delete{kind.word}Policy", **kind.named(owner), PolicyName=name)


async def attach(call: Caller, kind: Kind, owner: str, arn: str) -> None:
    await call("iam", f"Attach{kind.word}Policy", **kind.named(owner), PolicyArn=arn)


async def detach(call: Caller, kind: Kind, owner: str, arn: str) -> None:
    """Detach a managed policy, if it is attached."""
    await call.unless(GONE, "iam", f"Detach{kind.word}Policy", **kind.named(owner), PolicyArn=arn)


async def attached(call: Caller, kind: Kind, owner: str) -> list[str]:
    """The ARNs of the managed policies on somebody; none if nobody is there."""
    found = await call.unless(GONE, "iam", f"ListAttached{kind.word}Policies", **kind.named(owner))
    return [] if found is None else [one["PolicyArn"] for one in found["AttachedPolicies"]]


async def grant(call: Caller, kind: Kind, owner: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Bring `Policies` and `ManagedPolicyArns` from what `old` says to what `new` says."""
    before = {policy["PolicyName"]: policy["PolicyDocument"] for policy in old.get("Policies", ())}
    after = {policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies", ())}
    for name in sorted(before.keys() - after.keys()):
        await take(call, kind, owner, name)
    for name, document in after.items():
        if before.get(name) != document:
            await put(call, kind, owner, name, document)
    had, wanted = set(old.get("ManagedPolicyArns", ())), list(new.get("ManagedPolicyArns", ()))
    for arn in sorted(had - set(wanted)):
        await detach(call, kind, owner, arn)
    for arn in wanted:
        if arn not in had:
            await attach(call, kind, owner, arn)


async def granted(call: Caller, kind: Kind, owner: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """`Policies` and `ManagedPolicyArns` as they are: those of the template, because others may have put more."""
    policies = []
    for policy in properties.get("Policies", ()):
        document = await get(call, kind, owner, policy["PolicyName"], policy["PolicyDocument"])
        if document is not None:
            policies.append({"PolicyName": policy["PolicyName"], "PolicyDocument": document})
    given = properties.get("ManagedPolicyArns", ())
    found = [arn for arn in await attached(call, kind, owner) if arn in given] if given else []
    return {"Policies": policies or None, "ManagedPolicyArns": in_order(given, found, str) or None}


def gone_from(old: Mapping[str, Any], new: Mapping[str, Any], member: str) -> list[str]:
    """Of a list of names, those that are said no more."""
    return [name for name in old.get(member, ()) if name not in new.get(member, ())]


def new_in(old: Mapping[str, Any], new: Mapping[str, Any], member: str) -> Iterable[str]:
    """Of a list of names, those that were not said before."""
    return [name for name in new.get(member, ()) if name not in old.get(member, ())]
