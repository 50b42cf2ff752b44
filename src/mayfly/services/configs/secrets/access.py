"""Resource policies of secrets: what may be put, and what a Deny keeps whom from. Pure.

Within the account everything is allowed that no statement denies, as for other resources; so an Allow changes nothing.
Whoever may act may always change the policy itself: nobody can be locked out for good.
"""

import json
import re

from mayfly.services.configs.secrets.model import Place, Secret
from mayfly.services.contract import Principal, ServiceError
from mayfly.services.denials import Attempt, denies, listed

MOST_CHARACTERS = 20_480
_SESSION = re.compile(r"arn:aws:sts::(\d{12}):assumed-role/([^/]+)/.+")


def check_policy(text: str, *, block_public: bool) -> None:
    """`ServiceError` unless it is a policy that can be judged here."""
    try:
        policy = json.loads(text) if len(text) <= MOST_CHARACTERS else None
    except (ValueError, RecursionError):
        policy = None
    statements = listed(policy.get("Statement")) if isinstance(policy, dict) else []
    if not statements or not all(isinstance(one, dict) and _formed(one) for one in statements):
        raise ServiceError(
            "MalformedPolicyDocumentException", "This resource policy contains invalid Json, or no valid statement."
        )
    if any("NotPrincipal" in one for one in statements):
        raise ServiceError(
            "MalformedPolicyDocumentException", "Mayfly does not judge NotPrincipal: name principals in a Condition."
        )
    if block_public and any(one["Effect"] == "Allow" and _public(one) for one in statements):
        raise ServiceError(
            "PublicPolicyException",
            "The BlockPublicPolicy parameter is set to true, and the resource policy did not prevent broad access to "
            "the secret.",
        )


def check(principal: Principal, operation: str, place: Place, secret: Secret) -> None:
    """`ServiceError` AccessDeniedException where the policy of a secret denies an operation on it; operations on the
    policy itself (`operation` is empty) it cannot deny."""
    if not operation or secret.policy is None or "Deny" not in secret.policy or principal.kind == "service":
        return
    arn, action = place.arn(secret.suffix), f"secretsmanager:{operation}"
    names = [principal.arn, f"arn:aws:iam::{principal.account}:root", principal.account]
    if match := _SESSION.fullmatch(principal.arn):
        names.append(f"arn:aws:iam::{match[1]}:role/{match[2]}")
    for name in names:
        if denies(secret.policy, Attempt(action, arn, name, principal.arn, principal.account)):
            raise ServiceError(
                "AccessDeniedException",
                f"User: {principal.arn} is not authorized to perform: {action} on resource: {arn} with an explicit "
                "deny in a resource-based policy",
            )


def _formed(statement: dict[str, object]) -> bool:
    named = "Principal" in statement or "NotPrincipal" in statement
    acts = "Action" in statement or "NotAction" in statement
    return statement.get("Effect") in ("Allow", "Deny") and named and acts


def _public(statement: dict[str, object]) -> bool:
    principal = statement.get("Principal")
    everybody = principal == "*" or (
        isinstance(principal, dict) and any("*" in listed(group) for group in principal.values())
    )
    return everybody and not statement.get("Condition")
