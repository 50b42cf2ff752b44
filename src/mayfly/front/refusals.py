"""Errors that cross from the core to a front: the same class comes out as went in, so both answer callers alike."""

from dataclasses import replace
from typing import Any, cast

from mayfly.engine.api import ThrottledError
from mayfly.errors import PlatformError
from mayfly.front.messages import Refusal
from mayfly.services.contract import ServiceError
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.services.functions.invoker import NotInvocableError
from mayfly.services.functions.roles import RoleUnusableError


def refusal(error: Exception) -> Refusal:
    """What the core sends; anything unforeseen is the platform's own failure."""
    match error:
        case ServiceError():
            return Refusal(
                "service", error.code, error.message, error.status, dict(error.members), headers=dict(error.headers)
            )
        case ThrottledError():
            return Refusal("throttled", error.scope, limit=error.limit, retry_after_s=error.retry_after_s)
        case NotInvocableError():
            return Refusal("not-invocable", error.state)
        case RoleUnusableError():
            return Refusal("role", error.role_arn)
        case _:
            return Refusal("platform", "", str(error))


def error_of(said: Refusal, target: FunctionTarget | None = None) -> Exception:
    """What the front raises. `target` is the one that was called, where one was."""
    match said.kind:
        case "service":
            return ServiceError(said.code, said.message, status=said.status, members=said.members, headers=said.headers)
        case "throttled":
            return ThrottledError(cast(Any, said.code), said.limit, said.retry_after_s)
        case "not-invocable" if target is not None:
            return NotInvocableError(replace(target, state=cast(Any, said.code)))
        case "role":
            return RoleUnusableError(said.code)
        case _:
            return PlatformError(said.message)
