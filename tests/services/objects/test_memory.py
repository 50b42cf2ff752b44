"""However large an object is, the server holds a few chunks of it: through the real front door, both ways."""

import base64
import http.client
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import PlatformProcess

MIB = 1024 * 1024
SIZE = 256 * MIB
GROWTH = 64 * MIB
ZEROS = bytes(MIB)


def status_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    pytest.skip(f"this kernel does not tell {name}")


@contextmanager
def bounded_growth(pid: int) -> Iterator[None]:
    """The process's peak of resident memory inside the block lies less than `GROWTH` above what it had before."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak so far is forgotten
    before = status_bytes(pid, "VmRSS")
    yield
    assert status_bytes(pid, "VmHWM") - before < GROWTH


@pytest.fixture(scope="module")
def bucket(platform: PlatformProcess) -> str:
    platform.client("s3").create_bucket(Bucket="objects-memory")
    return "objects-memory"


@contextmanager
def exchange(platform: PlatformProcess, method: str, target: str, **more: Any) -> Iterator[http.client.HTTPResponse]:
    """One request on a connection of its own, closed on leaving."""
    connection = http.client.HTTPConnection(urlsplit(platform.url).netloc, timeout=60)
    with closing(connection):
        connection.request(method, target, **more)
        with connection.getresponse() as reply:
            yield reply


def presigned(platform: PlatformProcess, operation: str, bucket: str, key: str) -> str:
    url: str = platform.client("s3", signature_version="s3v4").generate_presigned_url(
        operation, Params={"Bucket": bucket, "Key": key}
    )
    return url.removeprefix(platform.url)


def zeros() -> Iterator[bytes]:
    for _ in range(SIZE // MIB):
        yield ZEROS


def chunked_with_trailer() -> Iterator[bytes]:
    """`aws-chunked`, unsigned, with the CRC-32 of everything behind it."""
    crc = 0
    for chunk in zeros():
        crc = zlib.crc32(chunk, crc)
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % base64.b64encode(crc.to_bytes(4, "big"))


def signed_headers(platform: PlatformProcess, target: str, headers: dict[str, str]) -> dict[str, str]:
    request = AWSRequest("PUT", f"{platform.url}{target}", headers={"host": platform.url[7:], **headers})
    request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    credentials = Credentials(platform.access_key_id, platform.secret_access_key)
    S3SigV4Auth(credentials, "s3", platform.region).add_auth(request)
    return dict(request.headers.items())


def put_plain(platform: PlatformProcess, bucket: str, key: str) -> None:
    target = presigned(platform, "put_object", bucket, key)
    with exchange(platform, "PUT", target, body=zeros(), headers={"Content-Length": str(SIZE)}) as reply:
        assert (reply.status, reply.read()) == (200, b"")


def test_an_upload_and_a_download_never_sit_in_memory(platform: PlatformProcess, bucket: str) -> None:
    with bounded_growth(platform.pid):
        put_plain(platform, bucket, "plain")
    received = 0
    with (
        bounded_growth(platform.pid),
        exchange(platform, "GET", presigned(platform, "get_object", bucket, "plain")) as reply,
    ):
        assert (reply.status, reply.getheader("content-length")) == (200, str(SIZE))
        while chunk := reply.read(MIB):
            received += len(chunk)
    assert received == SIZE


def test_downloads_that_nobody_reads_do_not_either(platform: PlatformProcess, bucket: str) -> None:
    put_plain(platform, bucket, "unread")
    target = presigned(platform, "get_object", bucket, "unread")
    with bounded_growth(platform.pid), ExitStack() as stack:
        replies = [stack.enter_context(exchange(platform, "GET", target)) for _ in range(4)]
        assert [reply.status for reply in replies] == [200] * 4
        platform.client("s3").head_object(Bucket=bucket, Key="unread")  # the server goes on meanwhile


def test_an_upload_in_chunks_with_a_checksum_behind_it_never_sits_in_memory(
    platform: PlatformProcess, bucket: str
) -> None:
    target = f"/{bucket}/chunked"
    framed = (SIZE // MIB) * (len(b"100000\r\n\r\n") + MIB) + len(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
    headers = signed_headers(
        platform,
        target,
        {
            "content-encoding": "aws-chunked",
            "content-length": str(framed),
            "x-amz-decoded-content-length": str(SIZE),
            "x-amz-trailer": "x-amz-checksum-crc32",
        },
    )
    assert headers["X-Amz-Content-SHA256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    with (
        bounded_growth(platform.pid),
        exchange(platform, "PUT", target, body=chunked_with_trailer(), headers=headers) as reply,
    ):
        assert (reply.status, reply.read()) == (200, b"")
    head = platform.client("s3").head_object(Bucket=bucket, Key="chunked", ChecksumMode="ENABLED")
    assert (head["ContentLength"], "ContentEncoding" in head) == (SIZE, False)
    assert head["ChecksumCRC32"] == reply.getheader("x-amz-checksum-crc32")
