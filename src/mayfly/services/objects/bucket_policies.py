"""What may be the policy of a bucket. Pure.

Policies are checked and kept; no decision is taken by them. The keys of the account and of roles may do everything,
those of users nothing, and nothing is public, whatever a policy says.
"""

import json
import re
from typing import Any, Final

from mayfly.services.objects.errors import error

MAX_BYTES: Final = 20 * 1024
_VERSIONS: Final = ("2008-10-17", "2012-10-17")
_TOP: Final = {"Version", "Id", "Statement"}
_STATEMENT: Final = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_ACTION: Final = re.compile(r"\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+", re.ASCII)


def check(bucket: str, text: str) -> None:
    """MalformedPolicy unless `text` may be the policy of `bucket`."""
    if len(text.encode()) > MAX_BYTES:
        raise error("MalformedPolicy", f"Policy exceeds the maximum allowed document size of {MAX_BYTES} bytes.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
    if unknown := sorted(set(document) - _TOP):
        raise error("MalformedPolicy", f"Unknown field {unknown[0]}")
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise error("MalformedPolicy", "The policy must contain a valid version string")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise error("MalformedPolicy", "Missing required field Statement")
    for statement in statements:
        _check_statement(bucket, statement)


def _check_statement(bucket: str, statement: Any) -> None:
    if not isinstance(statement, dict):
        raise error("MalformedPolicy", "Statement must be a JSON object")
    if unknown := sorted(set(statement) - _STATEMENT):
        raise error("MalformedPolicy", f"Unknown field {unknown[0]}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise error("MalformedPolicy", f"Invalid effect: {statement.get('Effect')}")
    for name in ("Principal", "Action", "Resource"):
        if (name in statement) == (f"Not{name}" in statement):
            raise error("MalformedPolicy", f"Missing required field {name}")
    for action in _texts(statement.get("Action", statement.get("NotAction"))):
        if _ACTION.fullmatch(action) is None:
            raise error("MalformedPolicy", "Policy has invalid action")
    ours = (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/")
    for resource in _texts(statement.get("Resource", statement.get("NotResource"))):
        wild = "*" in resource[: len(ours[0])] or "?" in resource[: len(ours[0])]
        if resource != ours[0] and not resource.startswith(ours[1]) and not wild:
            raise error("MalformedPolicy", "Policy has invalid resource")


def _texts(value: Any) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
    return texts
