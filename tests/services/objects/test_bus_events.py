"""What the event bus hears of objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.objects.service import PACKAGE, ObjectsService
from mayfly.store.api import Tx
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore
from tests.services.objects.conftest import Caller, RecordingTargets

BUS: dict[str, Any] = {"EventBridgeConfiguration": {}}


@dataclass
class Bus:
    """`ports.PlatformEvents` that remembers."""

    heard: list[tuple[str, str, Mapping[str, Any], Sequence[str]]] = field(default_factory=list)

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        tx.after_commit(lambda: self.heard.append((source, detail_type, detail, resources)))


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def caller(open_store: Any, tmp_path: Path, clock: ManualClock, bus: Bus) -> Caller:
    store: SqliteStore = await open_store(PACKAGE)
    blobs = FileBlobs(tmp_path / "blobs", store, clock)
    targets = RecordingTargets()
    made = Caller(ObjectsService(store, blobs, targets, clock, bus), store, blobs, targets)
    await made("CreateBucket", Bucket="photos")
    return made


async def test_a_bucket_tells_the_bus_only_if_it_is_asked_to(caller: Caller, bus: Bus) -> None:
    await caller("PutObject", Bucket="photos", Key="a", Body=b"1")
    assert bus.heard == []
    await caller("PutBucketNotificationConfiguration", Bucket="photos", NotificationConfiguration=BUS)
    reply = await caller("GetBucketNotificationConfiguration", Bucket="photos")
    assert reply == BUS
    await caller("PutObject", Bucket="photos", Key="a", Body=b"1")
    await caller("PutBucketNotificationConfiguration", Bucket="photos", NotificationConfiguration={})
    await caller("PutObject", Bucket="photos", Key="a", Body=b"1")
    assert len(bus.heard) == 1


async def test_what_happens_to_an_object_is_told_in_the_form_of_event_bridge(caller: Caller, bus: Bus) -> None:
    await caller("PutBucketNotificationConfiguration", Bucket="photos", NotificationConfiguration=BUS)
    await caller("PutObject", Bucket="photos", Key="a b", Body=b"hello")
    await caller("PutObjectTagging", Bucket="photos", Key="a b", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    await caller("DeleteObjectTagging", Bucket="photos", Key="a b")
    await caller("DeleteObject", Bucket="photos", Key="a b")
    assert [(source, kind, list(resources)) for source, kind, _, resources in bus.heard] == [
        ("aws.s3", "Object Created", ["arn:aws:s3:::photos"]),
        ("aws.s3", "Object Tags Added", ["arn:aws:s3:::photos"]),
        ("aws.s3", "Object Tags Deleted", ["arn:aws:s3:::photos"]),
        ("aws.s3", "Object Deleted", ["arn:aws:s3:::photos"]),
    ]
    created, deleted = bus.heard[0][2], bus.heard[3][2]
    assert created["bucket"] == {"name": "photos"}
    assert created["reason"] == "PutObject"
    about = dict(created["object"])
    assert len(about.pop("sequencer")) == 18
    assert about == {"key": "a b", "size": 5, "etag": "5d41402abc4b2a76b9719d911017c592"}
    assert (deleted["reason"], deleted["deletion-type"]) == ("DeleteObject", "Permanently Deleted")


async def test_a_delete_marker_is_told_as_one(caller: Caller, bus: Bus) -> None:
    await caller("PutBucketVersioning", Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    await caller("PutBucketNotificationConfiguration", Bucket="photos", NotificationConfiguration=BUS)
    await caller("PutObject", Bucket="photos", Key="a", Body=b"hello")
    await caller("DeleteObject", Bucket="photos", Key="a")
    assert bus.heard[0][2]["object"]["version-id"]
    assert bus.heard[1][2]["deletion-type"] == "Delete Marker Created"
