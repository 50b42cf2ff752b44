"""Client tokens, which make a request that is sent twice happen once."""

import hashlib
import json
from typing import Any

from mayfly.services.schedules import faults
from mayfly.services.schedules import statements as sql
from mayfly.store.api import Tx

KEPT_S = 8 * 3600.0


def seen(tx: Tx, operation: str, request: Any, now: float) -> bool:
    """Whether this very request was carried out before; notes it otherwise.

    To be called in the transaction that carries it out. `ServiceError` ConflictException when its client token came
    with another request.
    """
    token = request.get("ClientToken")
    if token is None:
        return False
    given = {name: value for name, value in request.items() if name != "ClientToken"}
    digest = hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()
    row = tx.one(sql.FIND_REQUEST, {"operation": operation, "token": token, "now": now})
    if row is not None:
        if row[0] != digest:
            raise faults.token_used(token)
        return True
    tx.run(sql.FORGET_REQUESTS, {"now": now})
    tx.run(sql.PUT_REQUEST, {"operation": operation, "token": token, "digest": digest, "expires_at": now + KEPT_S})
    return False
