"""Identity on a real store, called as the wire calls it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import Principal, RequestContext
from mayfly.services.identity.on_the_wire import IdentityOnTheWire
from mayfly.services.identity.service import IdentityService, Secrets
from mayfly.store.sqlite import SqliteStore

ACCOUNT = "123456789012"
ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
Call = Callable[..., Awaitable[dict[str, Any]]]


def context(principal: Principal = ROOT) -> RequestContext:
    return RequestContext("request-1", ACCOUNT, "us-east-1", principal, "http://127.0.0.1:4566")


@pytest.fixture
async def store(open_store: Callable[..., Awaitable[SqliteStore]]) -> SqliteStore:
    return await open_store("mayfly.services.identity")


@pytest.fixture
def identity(tmp_path: Path, store: SqliteStore, clock: ManualClock) -> IdentityService:
    return IdentityService(store, clock, Secrets.load(tmp_path, ACCOUNT))


@pytest.fixture
def iam(identity: IdentityService) -> Call:
    async def call(operation: str, principal: Principal = ROOT, **params: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await IdentityOnTheWire(identity).iam.operations[operation](context(principal), params)
        return reply

    return call


@pytest.fixture
def sts(identity: IdentityService) -> Call:
    async def call(operation: str, principal: Principal = ROOT, **params: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await IdentityOnTheWire(identity).sts.operations[operation](context(principal), params)
        return reply

    return call
