"""The service behind a real front door on loopback, in a thread of its own, so that boto3 can be used as it is."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from mayfly.clock import SystemClock
from mayfly.http.server import FrontDoor, bind
from mayfly.services.contract import Principal, ServiceError
from mayfly.services.objects.service import PACKAGE, ObjectsService
from mayfly.services.ports import PLAIN, SigningKey, TargetOptions
from mayfly.settings import HttpSettings, Settings
from mayfly.store.api import Tx
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore
from mayfly.wire.gateway import Gateway
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue

ACCOUNT = "000000000000"
ACCESS_KEY, SECRET = "AKIAMAYFLYTESTKEY000", "test-secret"


class OneKey:
    """The only key there is."""

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        if access_key_id != ACCESS_KEY:
            raise ServiceError("InvalidClientTokenId", "The security token included in the request is invalid.")
        return SigningKey(SECRET, Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, ACCESS_KEY))


class AnyTarget:
    """Takes every function and forgets its events."""

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        return

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        return


class Door:
    """Where the service can be reached."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def client(self, *, region: str = "us-east-1", **config: Any) -> Any:
        """A boto3 client; `config` are botocore `Config` options."""
        options = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, **config}
        session: Any = boto3.session.Session()
        return session.client(
            "s3",
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
            config=Config(**options),
        )


@contextmanager
def open_door(folder: Path) -> Iterator[Door]:
    """A running front door with the service behind it; everything is closed on leaving."""
    started = threading.Event()
    doors: list[Door] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        clock = SystemClock()
        store = await SqliteStore.open(folder / "mayfly.db", [PACKAGE], clock)
        blobs = FileBlobs(folder / "blobs", store, clock)
        service = ObjectsService(store, blobs, AnyTarget(), clock)
        gateway = Gateway({"s3": service}, OneKey(), Settings(data=folder), clock, Catalogue(Models()))
        settings = replace(HttpSettings(), port=0)
        listener = bind(settings)
        front = FrontDoor(gateway.handle, settings)
        await front.listen(listener)
        leave = asyncio.Event()
        doors.append(Door(listener.getsockname()[1]))
        stop.append((asyncio.get_running_loop(), leave))
        started.set()
        await leave.wait()
        front.refuse()
        await front.drained()
        await front.close()
        await blobs.close()
        await store.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="door")
    thread.start()
    try:
        if not started.wait(30):
            raise RuntimeError("the front door did not open")
        yield doors[0]
    finally:
        for loop, leave in stop:
            loop.call_soon_threadsafe(leave.set)
        thread.join(30)
