"""`aws-chunked` bodies: what botocore and AWS's documentation make is read; every kind of tampering is refused."""

import hashlib
import hmac
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, CrtCrc64NvmeChecksum
from hypothesis import given
from hypothesis import strategies as st

from mayfly.clock import ManualClock, SystemClock
from mayfly.services import checksums
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.wire import claims, sigv4
from mayfly.wire.chunked import ChunkedDecoder
from mayfly.wire.sigv4 import ChunkSigner

from .platform import ACCESS_KEY, SECRET, Recorder, client, gateway, http_request, run

SIGNER = ChunkSigner(b"key", "20260101T000000Z", "20260101/us-east-1/s3/aws4_request", "5eed" * 16)


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    start = 0
    for cut in sorted(each % (len(data) + 1) for each in cuts):
        yield data[start:cut]
        start = cut
    yield data[start:]


def decode(decoder: ChunkedDecoder, stream: Iterator[bytes] | list[bytes]) -> bytes:
    out = b"".join(piece for data in stream for piece in decoder.feed(data))
    decoder.finish()
    return out


def signed_body(data: bytes, size: int, trailers: dict[str, str] | None = None, signer: ChunkSigner = SIGNER) -> bytes:
    """A body with signed chunks, as the documentation describes it."""
    previous, out = signer.seed, b""
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    for chunk in [*cut, b""]:
        previous = signer.chunk(previous, hashlib.sha256(chunk).hexdigest())
        out += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
    if trailers is None:
        return out + b"\r\n"
    text = "".join(f"{name}:{value}\n" for name, value in trailers.items())
    lines = "".join(f"{name}:{value}\r\n" for name, value in trailers.items())
    signature = signer.trailer(previous, hashlib.sha256(text.encode()).hexdigest())
    return out + f"{lines}x-amz-trailer-signature:{signature}\r\n\r\n".encode()


@given(st.binary(max_size=300), st.integers(1, 100), st.lists(st.integers(0, 2000), max_size=6))
def test_bodies_of_botocore_are_read_however_they_are_cut(data: bytes, size: int, cuts: list[int]) -> None:
    wrapper: Any = AwsChunkedWrapper(
        io.BytesIO(data), CrtCrc64NvmeChecksum, "x-amz-checksum-crc64nvme", chunk_size=size
    )
    decoder = ChunkedDecoder(None, len(data), True)
    assert decode(decoder, pieces(wrapper.read(), cuts)) == data
    expected = checksums.new_checksum("CRC64NVME")
    expected.update(data)
    assert decoder.trailers == {"x-amz-checksum-crc64nvme": checksums.encode(expected.digest())}


@given(st.binary(max_size=40_000), st.integers(8192, 20_000), st.lists(st.integers(0, 60_000), max_size=6))
def test_signed_chunks_are_read_however_they_are_cut(data: bytes, size: int, cuts: list[int]) -> None:
    assert decode(ChunkedDecoder(SIGNER, len(data), False), pieces(signed_body(data, size), cuts)) == data


def test_signed_trailers_are_read() -> None:
    decoder = ChunkedDecoder(SIGNER, 4, True)
    assert decode(decoder, [signed_body(b"data", 8192, {"x-amz-checksum-crc32": "rfPzYw=="})]) == b"data"
    assert decoder.trailers == {"x-amz-checksum-crc32": "rfPzYw=="}


@given(st.data())
def test_no_changed_byte_of_a_signed_body_goes_unnoticed(data: st.DataObject) -> None:
    body = bytearray(signed_body(b"a" * 8192 + b"rest", 8192, {"x-amz-checksum-crc32": "rfPzYw=="}))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    decoder = ChunkedDecoder(SIGNER, 8196, True)
    try:
        assert decode(decoder, [bytes(body)]) == b"a" * 8192 + b"rest"
    except ServiceError:
        return
    # Hexadecimal sizes and names of trailers may change their case without changing their meaning.
    assert decoder.trailers == {"x-amz-checksum-crc32": "rfPzYw=="}


@given(st.data())
def test_a_body_cut_short_is_never_taken_for_whole(data: st.DataObject) -> None:
    body = signed_body(b"a" * 8192 + b"rest", 8192, {"x-amz-checksum-crc32": "rfPzYw=="})
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(ServiceError):
        decode(ChunkedDecoder(SIGNER, 8196, True), [body[:cut]])


@given(st.binary(max_size=200), st.integers(0, 100))
def test_noise_is_read_or_refused_but_never_breaks_the_decoder(noise: bytes, length: int) -> None:
    try:
        found = decode(ChunkedDecoder(None, length, True), [noise])
    except ServiceError:
        return
    assert len(found) == length


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),  # more than was announced
        (b"3\r\nhel\r\n0\r\n\r\n", "IncompleteBody"),  # less than was announced
        (b"4\r\nhell0\r\n\r\n", "IncompleteBody"),  # no line end after the data
        (b"4\r\nhell\r\n0\r\nno colon\r\n\r\n", "MalformedTrailerError"),
        (b"4\r\nhell\r\n0\r\n" + b"a:b\r\n" * 17 + b"\r\n", "MalformedTrailerError"),
        (b"4\r\nhell\r\n0\r\n\r\nmore", "IncompleteBody"),
        (b"-4\r\nhell\r\n0\r\n\r\n", "IncompleteBody"),
        (b"ffffffffffffffffffff\r\n", "IncompleteBody"),
        (b"4" * 10_000, "IncompleteBody"),
    ],
)
def test_malformed_bodies_get_their_error(body: bytes, code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        decode(ChunkedDecoder(None, 4, True), [body])
    assert caught.value.code == code


def test_only_the_last_signed_chunk_may_be_small() -> None:
    with pytest.raises(ServiceError) as caught:
        decode(ChunkedDecoder(SIGNER, 200, False), [signed_body(b"a" * 200, 100)])
    assert caught.value.code == "InvalidChunkSizeError"


def streaming_put(payload: str, data: bytes, trailers: dict[str, str] | None, headers: dict[str, str]) -> HttpRequest:
    """A PutObject whose seed signature, chunks and trailers are signed as the documentation says."""
    now = SystemClock().now()
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    sent = {
        "host": "127.0.0.1:4566",
        "x-amz-content-sha256": payload,
        "x-amz-date": stamp,
        "x-amz-decoded-content-length": str(len(data)),
        "content-encoding": "aws-chunked,zstd",
        **headers,
    }
    names = tuple(sorted(sent))
    claim = claims.Claim(ACCESS_KEY, stamp[:8], "us-east-1", "s3", names, "", None, stamp, now)
    key = sigv4.Verifier()._key(SECRET, claim).key
    canonical = sigv4.canonical_request(claim, sigv4.SignedRequest("PUT", "/bucket/key", "", sent), payload)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{claims.ALGORITHM}\n{stamp}\n{claim.scope}\n{digest}"
    seed = hmac.digest(key, text.encode(), "sha256").hex()
    sent["authorization"] = (
        f"{claims.ALGORITHM} Credential={ACCESS_KEY}/{claim.scope}, SignedHeaders={';'.join(names)}, Signature={seed}"
    )
    body = signed_body(data, 8192, trailers, ChunkSigner(key, stamp, claim.scope, seed))
    return http_request("PUT", "http://127.0.0.1:4566/bucket/key", sent, body, piece=1000)


def put(http: HttpRequest) -> tuple[HttpResponse, Recorder]:
    s3 = Recorder("s3", {"PutObject": {}})
    return run(gateway(s3, clock=ManualClock(SystemClock().now())).handle(http)), s3


def test_a_signed_stream_reaches_the_handler_as_its_payload() -> None:
    response, s3 = put(streaming_put(sigv4.STREAMING_SIGNED, b"x" * 20_000, None, {}))
    assert response.status == 200
    assert s3.calls[0][1]["Body"] == b"x" * 20_000
    assert s3.calls[0][1]["ContentEncoding"] == "zstd"


def test_a_signed_stream_with_trailers_brings_its_checksum_as_a_member() -> None:
    trailing = {"x-amz-checksum-crc32": "rfPzYw=="}
    named = {"x-amz-trailer": "x-amz-checksum-crc32"}
    response, s3 = put(streaming_put(sigv4.STREAMING_SIGNED_TRAILER, b"data", trailing, named))
    assert response.status == 200
    assert s3.calls[0][1]["ChecksumCRC32"] == "rfPzYw=="


@pytest.mark.parametrize(
    ("trailers", "code"),
    [
        ({"x-amz-checksum-crc32": "AAAAAA=="}, b"BadDigest"),
        ({"x-amz-checksum-crc32": "short"}, b"InvalidRequest"),
        ({"x-amz-checksum-sha1": "rfPzYw=="}, b"MalformedTrailerError"),
        ({}, b"MalformedTrailerError"),
    ],
)
def test_a_trailing_checksum_that_is_wrong_is_refused(trailers: dict[str, str], code: bytes) -> None:
    named = {"x-amz-trailer": "x-amz-checksum-crc32"}
    response, s3 = put(streaming_put(sigv4.STREAMING_SIGNED_TRAILER, b"data", trailers, named))
    assert response.status == 400
    assert b"<Code>" + code + b"</Code>" in response.body  # type: ignore[operator]  # errors are bytes
    assert s3.calls == []


def test_what_boto3_sends_over_tls_is_verified_and_its_checksum_handed_on() -> None:
    s3 = Recorder("s3", {"PutObject": {}})
    seen: list[HttpRequest] = []
    made = client(gateway(s3), "s3", url="https://127.0.0.1:4566", seen=lambda request, _: seen.append(request))
    made.put_object(Bucket="bucket", Key="key", Body=b"data" * 1000, ChecksumAlgorithm="SHA256")
    assert seen[0].header("x-amz-content-sha256") == sigv4.STREAMING_UNSIGNED_TRAILER
    assert s3.calls[0][1]["Body"] == b"data" * 1000
    digest = hashlib.sha256(b"data" * 1000).digest()
    assert s3.calls[0][1]["ChecksumSHA256"] == checksums.encode(digest)
    assert "ContentEncoding" not in s3.calls[0][1]


def test_a_stream_without_its_length_is_refused() -> None:
    http = streaming_put(sigv4.STREAMING_SIGNED, b"data", None, {"x-amz-decoded-content-length": "many"})
    response, _ = put(http)
    assert response.status == 411
