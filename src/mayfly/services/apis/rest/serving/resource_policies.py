"""The resource policy of an API: whom it lets in, from where. Pure.

IAM's semantics, with the conditions that APIs are kept with: addresses, and the principal. What cannot be judged lets
no statement allow, and lets one deny.
"""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any, Literal

from mayfly.policy.wildcards import like
from mayfly.services.contract import Principal
from mayfly.services.denials import listed

Verdict = Literal["allow", "deny", "nothing"]


def judge(
    policy: str, arn: str, principal: Principal | None, source_ip: str, action: str = "execute-api:Invoke"
) -> Verdict:
    """What a policy says of a call of the method with the ARN `arn`."""
    verdict: Verdict = "nothing"
    for statement in listed(json.loads(policy).get("Statement")):
        if not isinstance(statement, Mapping) or not _about(statement, arn, action):
            continue
        if not _names(statement, principal):
            continue
        holds = _holds(statement.get("Condition") or {}, principal, source_ip)
        if statement.get("Effect") == "Deny" and holds is not False:
            return "deny"
        if statement.get("Effect") == "Allow" and holds:
            verdict = "allow"
    return verdict


def _about(statement: Mapping[str, Any], arn: str, action: str) -> bool:
    actions = [str(one).lower() for one in listed(statement.get("Action"))]
    if not any(like(one, action.lower()) for one in actions):
        return False
    head, _, rest = arn.partition("/")
    if "NotResource" in statement:
        return not any(like(_full(str(one), head), f"{head}/{rest}") for one in listed(statement["NotResource"]))
    return any(like(_full(str(one), head), arn) for one in listed(statement.get("Resource", "*")))


def _full(resource: str, head: str) -> str:
    """`execute-api:/stage/GET/path` stands for the whole ARN in the policy of an API."""
    return head + resource.removeprefix("execute-api:") if resource.startswith("execute-api:/") else resource


def _names(statement: Mapping[str, Any], principal: Principal | None) -> bool:
    if "NotPrincipal" in statement:
        return not _matches(statement["NotPrincipal"], principal)
    return _matches(statement.get("Principal"), principal)


def _matches(said: Any, principal: Principal | None) -> bool:
    if said == "*":
        return True
    names = [str(one) for one in listed(said.get("AWS"))] if isinstance(said, Mapping) else []
    if "*" in names:
        return True
    if principal is None:
        return False
    root = f"arn:aws:iam::{principal.account}:root"
    role = _role_of(principal.arn)
    return any(name in (principal.arn, principal.account, root, role) for name in names)


def _role_of(arn: str) -> str:
    """The role of a session."""
    head, found, rest = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}" if found else arn


def _holds(conditions: Mapping[str, Any], principal: Principal | None, source_ip: str) -> bool | None:
    facts = {"aws:sourceip": source_ip}
    if principal is not None:
        facts |= {"aws:principalarn": principal.arn, "aws:principalaccount": principal.account}
    unknown = False
    for operator, tests in conditions.items():
        for key, wanted in tests.items() if isinstance(tests, Mapping) else ():
            holds = _test(operator, facts.get(key.lower()), [str(one) for one in listed(wanted)])
            if holds is False:
                return False
            unknown = unknown or holds is None
    return None if unknown else True


def _test(operator: str, found: str | None, values: list[str]) -> bool | None:
    base = operator.removesuffix("IfExists")
    if found is None and base != operator:
        return True
    if base in ("IpAddress", "NotIpAddress"):
        inside = found is not None and any(_inside(found, one) for one in values)
        return inside if base == "IpAddress" else not inside
    if base in ("StringEquals", "ArnEquals", "StringLike", "ArnLike"):
        return found is not None and any(like(one, found) if "Like" in base else one == found for one in values)
    if base in ("StringNotEquals", "ArnNotEquals", "StringNotLike", "ArnNotLike"):
        return found is None or not any(like(one, found) if "Like" in base else one == found for one in values)
    return None


def _inside(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
