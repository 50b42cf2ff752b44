"""Waiting for what versions and aliases need time for. Used by the resource types of both."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.resources.base import Caller
from mayfly.services.stacks.resources.schema import INTEGER, fields

PROVISIONED = fields("ProvisionedConcurrentExecutions", ProvisionedConcurrentExecutions=INTEGER)

_POLL_S = 0.1
_PATIENCE_S = 900.0


async def set_provisioned(call: Caller, function: str, qualifier: str, wanted: Mapping[str, Any] | None) -> None:
    """Provision what `wanted` says and return when it is ready; None: provision nothing. `ServiceError`."""
    named = {"FunctionName": function, "Qualifier": qualifier}
    if wanted is None:
        gone = "ResourceNotFoundException"
        await call.unless(gone, "lambda", "DeleteProvisionedConcurrencyConfig", **named)
        return
    await call("lambda", "PutProvisionedConcurrencyConfig", **named, **wanted)
    async with _patience(f"provisioned concurrency of {function}:{qualifier}"):
        while True:
            found = await call("lambda", "GetProvisionedConcurrencyConfig", **named)
            if found["Status"] == "READY":
                return
            if found["Status"] == "FAILED":
                raise _unstable(f"Provisioned concurrency failed with {found.get('StatusReason', 'no reason')}")
            async with call.waiting():
                await asyncio.sleep(_POLL_S)


async def until_active(call: Caller, function: str, version: str) -> None:
    """Return when a version can be invoked. `ServiceError`."""
    async with _patience(f"version {version} of {function}"):
        while True:
            found = await call("lambda", "GetFunctionConfiguration", FunctionName=function, Qualifier=version)
            if found["State"] == "Active":
                return
            if found["State"] == "Failed":
                raise _unstable(found.get("StateReason", "The version failed"))
            async with call.waiting():
                await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def _patience(what: str) -> AsyncIterator[None]:
    """Bounds a wait in time; `ServiceError` beyond it."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            yield
    except TimeoutError as late:
        raise _unstable(f"The {what} was not ready within {_PATIENCE_S:g} s") from late


def _unstable(message: str) -> ServiceError:
    return ServiceError("NotStabilized", message)
