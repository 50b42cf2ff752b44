"""A process that puts, copies, completes and deletes objects, and says on standard output what was acknowledged.

Run by test_crash.py as `python crash_writer.py DIRECTORY ROUND`, until it is killed. Its functions' events go to a
table of the same database.
"""

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Any

from mayfly.clock import SystemClock
from mayfly.services.contract import Principal, RequestContext
from mayfly.services.objects.service import PACKAGE, ObjectsService
from mayfly.services.ports import PLAIN, TargetOptions
from mayfly.store.api import Tx
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore

ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
CONTEXT = RequestContext(
    request_id="r",
    account=ACCOUNT,
    region="us-east-1",
    principal=Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT),
    endpoint="http://127.0.0.1",
)
ACCEPTED = "CREATE TABLE IF NOT EXISTS accepted (id INTEGER PRIMARY KEY, event TEXT NOT NULL)"


class TableTargets:
    """Accepts every event into the table."""

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        return

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        tx.run("INSERT INTO accepted (event) VALUES (:event)", {"event": event.decode()})


def content(key: str) -> bytes:
    """The bytes of an object, known from its key."""
    chosen = random.Random(key)
    return chosen.randbytes(chosen.choice([0, 10, 5000, 300_000]))


def promised(kind: str, key: str) -> None:
    """One line in one write: whole or not there at all."""
    os.write(1, f"{kind} {key}\n".encode())


class Load:
    """Each method runs for ever, several times at once."""

    def __init__(self, service: ObjectsService, name: str) -> None:
        self._service = service
        self._name = name
        self._count = 0

    async def call(self, name: str, **request: Any) -> Any:
        return await self._service.operations[name](CONTEXT, {"Bucket": "bucket", **request})

    def fresh(self, kind: str) -> str:
        self._count += 1
        return f"{kind}/{self._name}-{self._count}"

    async def puts(self) -> None:
        while True:
            key = self.fresh("put")
            await self.call("PutObject", Key=key, Body=content(key))
            promised("put", key)

    async def uploads(self) -> None:
        while True:
            key = self.fresh("upload")
            upload = (await self.call("CreateMultipartUpload", Key=key))["UploadId"]
            part = await self.call("UploadPart", Key=key, UploadId=upload, PartNumber=1, Body=content(key))
            parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            await self.call("CompleteMultipartUpload", Key=key, UploadId=upload, MultipartUpload=parts)
            promised("put", key)

    async def deletions(self) -> None:
        while True:
            key = self.fresh("gone")
            await self.call("PutObject", Key=key, Body=content(key))
            await self.call("DeleteObject", Key=key)
            promised("deleted", key)


async def main(directory: Path, name: str) -> None:
    clock = SystemClock()
    store = await SqliteStore.open(directory / "mayfly.db", [PACKAGE], clock)
    await store.write(lambda tx: tx.run(ACCEPTED))
    service = ObjectsService(store, FileBlobs(directory / "blobs", store, clock), TableTargets(), clock)
    load = Load(service, name)
    await load.call("CreateBucket")
    rule = {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], "Id": "all"}
    configuration = {"LambdaFunctionConfigurations": [rule]}
    await load.call("PutBucketNotificationConfiguration", NotificationConfiguration=configuration)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(load.puts())
            tasks.create_task(load.uploads())
            tasks.create_task(load.deletions())
        while True:
            await service.collect(grace_s=0)
            await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
