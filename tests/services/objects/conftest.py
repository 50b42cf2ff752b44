"""The service on a real store and real blobs, called the way the gateway calls it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import Principal, RequestContext, ServiceError, StreamBody
from mayfly.services.objects.service import PACKAGE, ObjectsService
from mayfly.services.ports import PLAIN, TargetOptions
from mayfly.store.api import Tx
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore

ACCOUNT = "000000000000"
ACCEPTED = "CREATE TABLE accepted (id INTEGER PRIMARY KEY, arn TEXT NOT NULL, event TEXT NOT NULL)"
ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIDTEST")


class RecordingTargets:
    """Accepts events into a table of the same database, so that they live and die with the transaction."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.checked: list[tuple[str, str, str, str]] = []
        self.fail_accept = False

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        self.checked.append((arn, principal, source_arn, source_account))
        if arn in self.refused:
            raise ServiceError("ResourceNotFoundException", f"Function not found: {arn}", status=404)

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        if arn in self.refused:
            raise ServiceError("ResourceNotFoundException", f"Function not found: {arn}", status=404)
        tx.run("INSERT INTO accepted (arn, event) VALUES (:arn, :event)", {"arn": arn, "event": event.decode()})
        if self.fail_accept:
            raise RuntimeError("the body failed after the event was accepted")


class Caller:
    """Calls operations by name with keyword parameters."""

    def __init__(
        self, service: ObjectsService, store: SqliteStore, blobs: FileBlobs, targets: RecordingTargets
    ) -> None:
        self.service = service
        self.store = store
        self.blobs = blobs
        self.targets = targets
        self.region = "us-east-1"

    def context(
        self, principal: Principal = ROOT, headers: Mapping[str, str] | None = None, region: str | None = None
    ) -> RequestContext:
        account = principal.account or ACCOUNT
        return RequestContext(
            request_id="4442587FB7D0A2F9",
            account=account,
            region=region or self.region,
            principal=principal,
            endpoint="http://127.0.0.1:4566",
            source_ip="203.0.113.9",
            headers=headers or {},
        )

    async def __call__(self, name: str, /, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.service.operations[name](self.context(), request)
        return reply

    async def as_(self, context: RequestContext, name: str, /, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.service.operations[name](context, request)
        return reply

    async def put(self, key: str, body: bytes = b"hello", **more: Any) -> dict[str, Any]:
        return await self("PutObject", Bucket="bucket", Key=key, Body=streamed(body), **more)

    async def text(self, key: str, **more: Any) -> bytes:
        return await read(await self("GetObject", Bucket="bucket", Key=key, **more))

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """(function, the one record of the event) of everything accepted, in order."""
        rows = await self.store.read(lambda reader: reader.all("SELECT arn, event FROM accepted ORDER BY id"))
        return [(arn, msgspec.json.decode(event)["Records"][0]) for arn, event in rows]


def streamed(body: bytes, chunk: int = 65_536) -> StreamBody:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), chunk):
            yield body[start : start + chunk]

    return StreamBody(chunks(), len(body))


async def read(reply: Mapping[str, Any]) -> bytes:
    body: bytes | StreamBody = reply["Body"]
    return body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])


async def failure(awaitable: Any) -> ServiceError:
    """The error that a call ends with."""
    with pytest.raises(ServiceError) as caught:
        await awaitable
    return caught.value


@pytest.fixture
async def s3(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Caller]:
    """The service with an empty bucket named "bucket"."""
    store = await SqliteStore.open(tmp_path / "mayfly.db", [PACKAGE], clock)
    await store.write(lambda tx: tx.run(ACCEPTED))
    blobs = FileBlobs(tmp_path / "blobs", store, clock)
    targets = RecordingTargets()
    caller = Caller(ObjectsService(store, blobs, targets, clock), store, blobs, targets)
    await caller("CreateBucket", Bucket="bucket")
    yield caller
    await blobs.close()
    await store.close()
