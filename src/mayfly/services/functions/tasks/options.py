"""What a caller says of an asynchronous invocation beside its payload: priority, deadline, tenant. Pure.

With Invoke, in headers, or in the client context where an SDK makes that easier:

    X-Mayfly-Priority: 10           {"mayfly": {"priority": 10,
    X-Mayfly-Deadline: 90            "deadline": 90,
    X-Mayfly-Tenant: acme            "tenant": "acme"}}

A deadline is in seconds from now, or a time in ISO 8601. Headers count before the client context.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from mayfly.policy.ranks import LEAST, MOST
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.tasks.model import MAX_TENANT

_TENANT = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]+")  # those of Lambda's TenantId
_HEADERS = {"priority": "x-mayfly-priority", "deadline": "x-mayfly-deadline", "tenant": "x-mayfly-tenant"}


class TaskOptions(NamedTuple):
    """What was said; the defaults are those of everybody else's invocations."""

    priority: int = 0
    deadline: float | None = None  # Unix seconds
    tenant: str = ""


NONE = TaskOptions()


class _Said(msgspec.Struct):
    priority: int | None = None
    deadline: float | str | None = None
    tenant: str | None = None


class _Context(msgspec.Struct):
    mayfly: _Said | None = None


def of_invoke(headers: Mapping[str, str], client_context: str | None, now: float) -> TaskOptions:
    """The options of one Invoke; `ServiceError` InvalidParameterValueException for what cannot be."""
    said: dict[str, Any] = {}
    if client_context is not None and '"mayfly"' in client_context:
        try:
            context = msgspec.json.decode(client_context, type=_Context)
        except msgspec.DecodeError as error:
            raise faults.invalid_parameter(
                f'"mayfly" in the client context says nothing that can be: {error}'
            ) from error
        if context.mayfly is not None:
            said = {name: getattr(context.mayfly, name) for name in _HEADERS}
    for name, header in _HEADERS.items():
        if header in headers:
            said[name] = headers[header]
    return checked(now, **said) if said else NONE


def checked(now: float, priority: Any = None, deadline: Any = None, tenant: Any = None) -> TaskOptions:
    """Options as they came, numbers maybe as text; `ServiceError` as above."""
    return TaskOptions(_priority(priority), _deadline(deadline, now), _tenant(tenant))


def _priority(given: Any) -> int:
    if given is None:
        return 0
    try:
        found = int(given)
    except ValueError:
        found = MOST + 1
    if not LEAST <= found <= MOST:
        raise _wrong(f"A priority is an integer from {LEAST} to {MOST}, not {given!r}.")
    return found


def _deadline(given: Any, now: float) -> float | None:
    if given is None:
        return None
    try:
        in_s = float(given)
    except ValueError:
        try:
            at = datetime.fromisoformat(str(given))
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise _wrong(
                f"A deadline is a number of seconds from now, or a time with its zone (ISO 8601), not {given!r}."
            ) from None
        return at.timestamp()
    if not 0 < in_s < 10**9:
        raise _wrong(f"A deadline lies more than 0 seconds ahead, not {given!r}.")
    return now + in_s


def _tenant(given: Any) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) > MAX_TENANT or _TENANT.fullmatch(given) is None:
        raise _wrong(
            f"A tenant has 1 to {MAX_TENANT} letters, digits or characters of ._:/=+-@ and space, not {given!r}."
        )
    return given


def _wrong(message: str) -> ServiceError:
    return faults.invalid_parameter(message)
