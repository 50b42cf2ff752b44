"""Versions against a model: whatever is done in whatever order, the listing, the bytes and what shows agree with it."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.clock import ManualClock
from mayfly.services.objects.service import PACKAGE, ObjectsService
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore

from .conftest import ACCEPTED, Caller, RecordingTargets, failure, read

KEYS = st.sampled_from(["a", "b"])
BODIES = st.sampled_from([b"", b"one", b"large" * 10_000])
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, BODIES),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("remove"), KEYS, st.integers(0, 5)),
    st.tuples(st.just("restore"), KEYS, st.integers(0, 5)),
    st.tuples(st.just("set_versioning"), st.sampled_from(["Enabled", "Suspended"])),
    st.tuples(st.just("collect")),
)


class Version(NamedTuple):
    id: str
    body: bytes | None  # None for a delete marker


class Model:
    """What should be there: the versions of each key, newest last."""

    def __init__(self, caller: Caller, clock: ManualClock) -> None:
        self.caller = caller
        self.clock = clock
        self.status = ""
        self.versions: dict[str, list[Version]] = {"a": [], "b": []}

    async def set_versioning(self, status: str) -> None:
        await self.caller("PutBucketVersioning", Bucket="bucket", VersioningConfiguration={"Status": status})
        self.status = status

    async def put(self, key: str, body: bytes) -> None:
        self._add(key, (await self.caller.put(key, body)).get("VersionId", "null"), body)

    async def delete(self, key: str) -> None:
        reply = await self.caller("DeleteObject", Bucket="bucket", Key=key)
        if self.status:
            self._add(key, reply["VersionId"], None)
        else:
            assert reply == {}
            self.versions[key] = []

    async def remove(self, key: str, index: int) -> None:
        if index < len(self.versions[key]):
            version = self.versions[key].pop(index)
            await self.caller("DeleteObject", Bucket="bucket", Key=key, VersionId=version.id)

    async def restore(self, key: str, index: int) -> None:
        """Copy an old version over what shows."""
        if index >= len(self.versions[key]) or self.versions[key][index].body is None:
            return
        version = self.versions[key][index]
        source = f"bucket/{key}?versionId={version.id}"
        reply = await self.caller("CopyObject", Bucket="bucket", Key=key, CopySource=source)
        self._add(key, reply.get("VersionId", "null"), version.body)

    async def collect(self) -> None:
        self.clock.advance(10)
        await self.caller.service.collect(grace_s=1)
        await self.caller.blobs.sweep(grace_s=1)

    def _add(self, key: str, identity: str, body: bytes | None) -> None:
        assert (identity == "null") == (self.status != "Enabled")
        kept = [version for version in self.versions[key] if version.id != identity]
        self.versions[key] = [*kept, Version(identity, body)]

    async def check(self) -> None:
        reply = await self.caller("ListObjectVersions", Bucket="bucket")
        listed = {
            marker: [(item["Key"], item["VersionId"], item["IsLatest"]) for item in reply.get(member, ())]
            for member, marker in (("Versions", False), ("DeleteMarkers", True))
        }
        expected: dict[bool, list[tuple[str, str, bool]]] = {False: [], True: []}
        for key, versions in self.versions.items():
            for version in reversed(versions):
                expected[version.body is None].append((key, version.id, version is versions[-1]))
        assert listed == expected
        for key, versions in self.versions.items():
            about = {"Bucket": "bucket", "Key": key}
            for version in versions:
                call = self.caller("GetObject", **about, VersionId=version.id)
                if version.body is None:
                    assert (await failure(call)).code == "MethodNotAllowed"
                else:
                    assert await read(await call) == version.body
            shown = versions[-1].body if versions else None
            if shown is None:
                assert (await failure(self.caller("GetObject", **about))).code == "NoSuchKey"
            else:
                assert await read(await self.caller("GetObject", **about)) == shown

    async def check_nothing_is_left_over(self) -> None:
        await self.collect()
        await self.check()
        bodies = [version.body for versions in self.versions.values() for version in versions]
        assert await self.count("blob_owners") == sum(body is not None for body in bodies)
        assert await self.count("blobs") == len({body for body in bodies if body is not None})

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
            await getattr(model, name)(*arguments)
            await model.check()
        await model.check_nothing_is_left_over()
    finally:
        await blobs.close()
        await store.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=25))
def test_versions_agree_with_a_model(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(steps, Path(folder)))
