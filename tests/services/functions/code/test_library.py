"""Packages: kept once, handed out by link, removed when nobody needs them."""

import base64
from collections.abc import AsyncIterator

import pytest

from mayfly.services.contract import ByteStream, HttpRequest, ServiceError, StreamBody
from mayfly.services.functions.code.links import VALID_S
from mayfly.settings import FunctionLimits
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import Stage, zipped

OTHER = zipped({"other.py": "pass"})


def packages(stage: Stage) -> set[str]:
    return {path.name for path in (stage.data / "code").iterdir()} - {"incoming", "compiled"}


def digest(shown: dict[str, str]) -> str:
    return base64.b64decode(shown["CodeSha256"]).hex()


def nothing() -> ByteStream:
    async def chunks() -> AsyncIterator[bytes]:
        return
        yield b""

    return StreamBody(chunks(), 0)


def get(url: str, method: str = "GET") -> HttpRequest:
    path, _, query = url.removeprefix("http://127.0.0.1:4566").partition("?")
    return HttpRequest(method, path, query, [], nothing(), "127.0.0.1:4566", "127.0.0.1", "r")


async def test_the_same_zip_is_kept_once(stage: Stage) -> None:
    first = await stage.create("f")
    second = await stage.create("g")
    assert packages(stage) == {digest(first)} == {digest(second)}


async def test_a_package_goes_when_no_function_has_needed_it_for_the_grace(stage: Stage) -> None:
    old = await stage.create()
    new = await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
    assert await stage.functions.sweep(60) == 0
    stage.clock.advance(59)
    assert await stage.functions.sweep(60) == 0
    assert packages(stage) == {digest(old), digest(new)}
    stage.clock.advance(1)
    assert await stage.functions.sweep(60) == 1
    assert packages(stage) == {digest(new)}


async def test_a_package_that_is_used_again_within_the_grace_stays(stage: Stage) -> None:
    old = await stage.create()
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
    await stage.functions.sweep(60)
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped())
    stage.clock.advance(60)
    await stage.functions.sweep(60)
    assert digest(old) in packages(stage)


async def test_what_a_crash_left_behind_is_removed_at_start(open_stage: OpenStage) -> None:
    before = await open_stage()
    kept = await before.create()
    (before.data / "code" / "incoming" / "half").mkdir()
    (before.data / "code" / ("0" * 64)).mkdir()
    after = await open_stage()
    assert packages(after) == {digest(kept)}
    assert list((after.data / "code" / "incoming").iterdir()) == []


async def test_the_zip_can_be_fetched_by_the_link_for_ten_minutes(stage: Stage) -> None:
    await stage.create()
    url = (await stage.call("GetFunction", FunctionName="f"))["Code"]["Location"]
    assert url.startswith("http://127.0.0.1:4566/_mayfly/code/")
    response = await stage.functions.code_links.handle(get(url))
    assert response.status == 200
    assert not isinstance(response.body, bytes)
    assert b"".join([chunk async for chunk in response.body]) == zipped()
    assert (await stage.functions.code_links.handle(get(url, "HEAD"))).status == 200
    assert (await stage.functions.code_links.handle(get(url, "POST"))).status == 405
    stage.clock.advance(VALID_S + 1)
    assert (await stage.functions.code_links.handle(get(url))).status == 403


@pytest.mark.parametrize("change", [("Expires=1", "Expires=9"), ("Size=", "Size=1"), ("Signature=", "Signature=0")])
async def test_a_link_that_was_changed_is_refused(stage: Stage, change: tuple[str, str]) -> None:
    await stage.create()
    url = (await stage.call("GetFunction", FunctionName="f"))["Code"]["Location"]
    assert change[0] in url
    assert (await stage.functions.code_links.handle(get(url.replace(*change)))).status == 403
    assert (await stage.functions.code_links.handle(get(url.partition("?")[0]))).status == 403


async def test_sizes_are_limited_for_inline_zips_for_bucket_zips_and_for_their_content(open_stage: OpenStage) -> None:
    stage = await open_stage(FunctionLimits(zip_inline_bytes=1000, unzipped_bytes=2000))
    inline = await stage.refusal("CreateFunction", **_with({"ZipFile": b"x" * 1001}))
    assert (inline.code, inline.status) == ("RequestEntityTooLargeException", 413)
    stage.bucket.objects["bbb", "large"] = b"x" * 2001
    stage.bucket.objects["bbb", "bomb"] = zipped({"zeros": b"\0" * 2001})
    for key in ("large", "bomb"):
        error = await stage.refusal("CreateFunction", **_with({"S3Bucket": "bbb", "S3Key": key}))
        assert error.message == "Unzipped size must be smaller than 2000 bytes"
    assert packages(stage) == set()
    assert list((stage.data / "code" / "incoming").iterdir()) == []


async def test_all_packages_together_have_a_limit(open_stage: OpenStage) -> None:
    large = zipped({"a.py": "1" * 50, "b.py": "2" * 50})
    stage = await open_stage(FunctionLimits(code_storage_bytes=2 * len(zipped())))
    await stage.create("f")
    await stage.create("g")
    error = await stage.refusal("CreateFunction", **_with({"ZipFile": zipped()}, name="h"))
    assert (error.code, error.status) == ("CodeStorageExceededException", 400)
    assert (await stage.refusal("GetFunction", FunctionName="h")).status == 404
    error = await stage.refusal("UpdateFunctionCode", FunctionName="f", ZipFile=large)
    assert error.message == "Code storage limit exceeded."
    await stage.call("DeleteFunction", FunctionName="g")
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"b.py": ""}))


async def test_a_source_that_breaks_off_leaves_nothing(stage: Stage) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"PK"
        raise ServiceError("InternalError", "gone")

    async def open_(bucket: str, key: str, version: str | None) -> AsyncIterator[bytes]:
        return broken()

    stage.bucket.open = open_  # type: ignore[method-assign]
    error = await stage.refusal("CreateFunction", **_with({"S3Bucket": "bbb", "S3Key": "k"}))
    assert "S3 Error Code: InternalError" in error.message
    assert list((stage.data / "code" / "incoming").iterdir()) == []


def _with(code: dict[str, object], name: str = "f") -> dict[str, object]:
    role = "arn:aws:iam::000000000000:role/runs"
    return {"FunctionName": name, "Runtime": "python3.11", "Handler": "a.h", "Role": role, "Code": code}
