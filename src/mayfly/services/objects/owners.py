"""How S3 names accounts to one another: canonical user ids. Pure."""

import hashlib
from typing import Any


def canonical_user(account: str) -> str:
    """The canonical user id of an account: 64 hexadecimal digits, the same every time."""
    return hashlib.sha256(f"mayfly canonical user {account}".encode()).hexdigest()


def full_control(account: str) -> dict[str, Any]:
    """The access control policy of everything that `account` owns: its owner has full control, nobody else any."""
    owner = {"ID": canonical_user(account)}
    return {"Owner": owner, "Grants": [{"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]}
