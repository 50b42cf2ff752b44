"""What the service gives to the rest of the platform."""

from .conftest import Caller, failure


async def test_other_services_read_an_objects_bytes(s3: Caller) -> None:
    await s3.put("code.zip", b"zip" * 100_000)
    chunks = await s3.service.open("bucket", "code.zip", None)
    assert b"".join([chunk async for chunk in chunks]) == b"zip" * 100_000


async def test_what_is_not_there_cannot_be_opened(s3: Caller) -> None:
    assert (await failure(s3.service.open("none", "key", None))).code == "NoSuchBucket"
    assert (await failure(s3.service.open("bucket", "key", None))).code == "NoSuchKey"
    await s3.put("key")
    assert (await failure(s3.service.open("bucket", "key", "v1"))).code == "NoSuchVersion"
