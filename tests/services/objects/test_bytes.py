"""Whatever is done in whatever order: every object keeps its bytes, and no byte is kept for nobody."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.services.objects.service import PACKAGE, ObjectsService
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore

from .conftest import ACCEPTED, Caller, RecordingTargets, failure, read

KEYS = st.sampled_from(["a", "b", "c"])
BODIES = st.sampled_from([b"", b"one", b"large" * 10_000])  # few, so that objects share blobs
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, BODIES),
    st.tuples(st.just("copy"), KEYS, KEYS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("begin"), KEYS),
    st.tuples(st.just("part"), BODIES),
    st.tuples(st.just("complete")),
    st.tuples(st.just("abort")),
    st.tuples(st.just("collect")),
)


class Model:
    """What should be there, told in dictionaries; one upload at a time."""

    def __init__(self, caller: Caller, clock: ManualClock) -> None:
        self.caller = caller
        self.clock = clock
        self.objects: dict[str, bytes] = {}
        self.upload: dict[str, str] | None = None
        self.part: tuple[str, bytes] | None = None

    async def put(self, key: str, body: bytes) -> None:
        await self.caller.put(key, body)
        self.objects[key] = body

    async def copy(self, source: str, key: str) -> None:
        directive = {"MetadataDirective": "REPLACE"}
        call = self.caller("CopyObject", Bucket="bucket", Key=key, CopySource=f"bucket/{source}", **directive)
        if source in self.objects:
            await call
            self.objects[key] = self.objects[source]
        else:
            assert (await failure(call)).code == "NoSuchKey"

    async def delete(self, key: str) -> None:
        await self.caller("DeleteObject", Bucket="bucket", Key=key)
        self.objects.pop(key, None)

    async def begin(self, key: str) -> None:
        await self.abort()
        reply = await self.caller("CreateMultipartUpload", Bucket="bucket", Key=key)
        self.upload = {"Bucket": "bucket", "Key": key, "UploadId": reply["UploadId"]}

    async def take_part(self, body: bytes) -> None:
        if self.upload is not None:
            reply = await self.caller("UploadPart", **self.upload, PartNumber=1, Body=body)
            self.part = reply["ETag"], body

    async def complete(self) -> None:
        if self.upload is not None and self.part is not None:
            parts = {"Parts": [{"PartNumber": 1, "ETag": self.part[0]}]}
            await self.caller("CompleteMultipartUpload", **self.upload, MultipartUpload=parts)
            self.objects[self.upload["Key"]] = self.part[1]
            self.upload = self.part = None

    async def abort(self) -> None:
        if self.upload is not None:
            await self.caller("AbortMultipartUpload", **self.upload)
            self.upload = self.part = None

    async def collect(self) -> None:
        self.clock.advance(10)
        await self.caller.service.collect(grace_s=1)
        await self.caller.blobs.sweep(grace_s=1)

    async def check(self) -> None:
        listed = await self.caller("ListObjectsV2", Bucket="bucket")
        assert [item["Key"] for item in listed.get("Contents", ())] == sorted(self.objects)
        for key, body in self.objects.items():
            assert await read(await self.caller("GetObject", Bucket="bucket", Key=key)) == body

    async def check_nothing_is_left_over(self) -> None:
        await self.abort()
        await self.collect()
        await self.check()
        assert await self.count("objects_discards") == 0
        assert await self.count("blob_owners") == len(self.objects)
        assert await self.count("blobs") == len(set(self.objects.values()))

    async def count(self, table: str) -> int:
        rows = await self.caller.store.read(lambda reader: reader.all(f"SELECT 1 FROM {table}"))
        return len(rows)


async def live(steps: list[tuple[Any, ...]], folder: Path) -> None:
    clock = ManualClock()
    store = await SqliteStore.open(folder / "mayfly.db", [PACKAGE], clock)
    blobs = FileBlobs(folder / "blobs", store, clock)
    try:
        await store.write(lambda tx: tx.run(ACCEPTED))
        targets = RecordingTargets()
        caller = Caller(ObjectsService(store, blobs, targets, clock), store, blobs, targets)
        await caller("CreateBucket", Bucket="bucket")
        model = Model(caller, clock)
        for name, *arguments in steps:
            await getattr(model, "take_part" if name == "part" else name)(*arguments)
            await model.check()
        await model.check_nothing_is_left_over()
    finally:
        await blobs.close()
        await store.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=25))
def test_objects_keep_their_bytes_and_nothing_else_is_kept(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(steps, Path(folder)))
