"""Functions whose instances serve one tenant each: `TenancyConfig`, and what calls of them must say. Pure.

A tenant is whoever the caller of a function names; the platform keeps no list of them. What follows for instances is
the engine's: a tenant's calls have a target of their own (`engine_targets.FunctionTarget.of_tenant`).
"""

import re
from collections.abc import Mapping
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.model import Configuration

_NAME = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")


def asked(params: Mapping[str, Any]) -> bool:
    """Whether a function that is created is to have instances of one tenant each; there is no other mode."""
    return "TenancyConfig" in params


def shown(configuration: Configuration) -> dict[str, Any]:
    """The member of replies."""
    return {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}} if configuration.per_tenant else {}


def check(configuration: Configuration) -> None:
    """`ServiceError` for what such a function cannot have: all that runs its code before it is known for whom, or
    several calls at a time beside one another."""
    if not configuration.per_tenant:
        return
    if configuration.snap_start:
        raise refused("SnapStart")
    if configuration.capacity is not None:
        raise refused("CapacityProviderConfig")


def refused(what: str) -> ServiceError:
    """For what has no place to say who the tenant is, or would start instances of nobody's."""
    return faults.invalid_parameter(f"{what} is not supported for functions with tenant isolation mode.")


def refuse(configuration: Configuration, what: str) -> None:
    """`ServiceError` when the function is one of tenants."""
    if configuration.per_tenant:
        raise refused(what)


def of_call(configuration: Configuration, tenant: str | None) -> str | None:
    """The tenant of a call, as the caller named it; `ServiceError` when it must and does not, or may not and does."""
    if configuration.per_tenant and not tenant:
        raise faults.invalid_parameter(
            "The invoked function is enabled with tenancy configuration. "
            "Add a valid tenant ID in your request and try again."
        )
    if tenant and not configuration.per_tenant:
        raise faults.invalid_parameter(
            "The invoked function is not enabled with tenancy configuration. "
            "Remove the tenant ID from your request and try again."
        )
    return tenant


def check_name(tenant: str | None) -> None:
    """`ServiceError` for a tenant of a name that Invoke would not take either."""
    if tenant is not None and _NAME.fullmatch(tenant) is None:
        raise faults.invalid_parameter(
            f"Value '{tenant}' at 'tenantId' failed to satisfy constraint: Member must satisfy regular expression "
            rf"pattern: [a-zA-Z0-9\._:\/=+\-@ ]+, and have a length between 1 and 256"
        )
