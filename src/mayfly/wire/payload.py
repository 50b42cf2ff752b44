"""From the raw body of a request to what its operation is given, in two steps around the check of the signature.

`prepare` reads what the request says of its body and, where the signature covers the bytes themselves, the bytes.
`Prepared.admit`, called once the signature holds, unwraps, hashes and hands over.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from mayfly.services import checksums
from mayfly.services.contract import ByteStream, ServiceError
from mayfly.wire import sigv4
from mayfly.wire.body import Body, Claims, Tracked, check_bytes, gunzip, read_all
from mayfly.wire.chunked import ChunkedDecoder
from mayfly.wire.claims import Claim
from mayfly.wire.denials import Family
from mayfly.wire.operations import Operation

NOTHING: Final = Claims()


class Admitted(Struct, frozen=True):
    """A body that may be decoded, and the headers as the codecs should see them."""

    headers: Mapping[str, str]
    body: bytes
    stream: ByteStream | None


class Prepared(Struct):
    """A body before the signature is checked."""

    said_hash: str | None  # the last line of the canonical request; None: the hash of the bytes themselves
    headers: dict[str, str]
    source: Tracked
    data: bytes | None  # None while nothing was read
    claims: Claims
    operation: Operation
    limit: int
    mode: str  # of STREAMING, or ""

    async def signed_hash(self) -> str:
        """The last line of the canonical request; reads the body where it must be hashed for that."""
        if self.said_hash is not None:
            return self.said_hash
        if self.data is None:
            self.data = await read(self.source, self.limit, self.operation.name)
        return hashlib.sha256(self.data).hexdigest()

    async def admit(self, signer: sigv4.ChunkSigner | None) -> Admitted:
        """The body; `ServiceError` when it is not what the request claims."""
        if self.data is not None:
            if self.claims is not NOTHING:
                check_bytes(self.data, self.claims)
            return self._buffered(self.data)
        decoder = None
        length = self.source.length
        if self.mode:
            length = decoded_length(self.headers)
            unsigned = self.mode == sigv4.STREAMING_UNSIGNED_TRAILER
            trailers = self.mode != sigv4.STREAMING_SIGNED
            decoder = ChunkedDecoder(None if unsigned else signer, length, trailers)
        body = Body(self.source, length, self.claims, decoder)
        if self.operation.streams:
            return Admitted(self.headers, b"", body)
        return self._buffered(await read_all(body.__aiter__(), self.limit, length, self.operation.name))

    def _buffered(self, data: bytes) -> Admitted:
        if self.operation.streams:
            return Admitted(self.headers, b"", Body(_Once(data), len(data), Claims()))
        if data and self.headers.get("content-encoding") == "gzip":
            data = gunzip(data, self.limit, self.operation.name)
        return Admitted(self.headers, data, None)


class _Once:
    """Bytes as an async iterator."""

    def __init__(self, data: bytes) -> None:
        self._left = [data] if data else []

    def __aiter__(self) -> "_Once":
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


async def read(source: Tracked, limit: int, operation: str = "") -> bytes:
    """The whole raw body; `ServiceError` beyond `limit` bytes."""
    data = source.at_hand(limit, operation)
    return await read_all(source, limit, source.length, operation) if data is None else data


def prepare(
    headers: dict[str, str],
    source: Tracked,
    form: bytes | None,
    operation: Operation,
    limit: int,
    family: Family,
    claim: Claim | None = None,
) -> Prepared:
    """See the module. `form` is the body where it was read already."""
    said = headers.get("x-amz-content-sha256")
    if claim is not None and claim.presigned and family == "s3" and "x-amz-content-sha256" not in claim.signed_headers:
        said = sigv4.UNSIGNED_PAYLOAD  # whoever signs a URL does not know the body yet
    mode = said if said in sigv4.STREAMING and family == "s3" else ""
    if mode and form is not None:
        raise ServiceError("InvalidRequest", "A form cannot be sent in aws-chunked encoding.", status=400)
    claims = body_claims(headers, operation, family, bool(mode))
    if family == "s3":
        headers = _without_framing(headers)
        signed_hash, sha256 = _s3_hash(said, claim)
        if sha256 is not None:
            claims = Claims(sha256, claims.md5, claims.checksum, claims.trailer)
        return Prepared(signed_hash, headers, source, form, claims, operation, limit, mode)
    if claim is None or (operation.unsigned_payload and said == sigv4.UNSIGNED_PAYLOAD):
        return Prepared(said or "", headers, source, form, claims, operation, limit, mode)
    # Outside S3 the hash of the bytes themselves is what counts, whatever the header says.
    return Prepared(None, headers, source, form, claims, operation, limit, "")


def _s3_hash(said: str | None, claim: Claim | None) -> tuple[str, str | None]:
    """What S3's signature covers, and the hash to hold the body against."""
    if said is None:
        if claim is None:
            return "", None
        raise ServiceError(
            "InvalidRequest", "Missing required header for this request: x-amz-content-sha256", status=400
        )
    if said == sigv4.UNSIGNED_PAYLOAD or said in sigv4.STREAMING:
        return said, None
    if sigv4.is_hash(said):
        return said, said
    names = ", ".join((sigv4.UNSIGNED_PAYLOAD, *sorted(sigv4.STREAMING)))
    raise ServiceError(
        "InvalidArgument",
        f"x-amz-content-sha256 must be {names} or a valid sha256 value.",
        status=400,
        members={"ArgumentName": "x-amz-content-sha256", "ArgumentValue": said},
    )


def _without_framing(headers: dict[str, str]) -> dict[str, str]:
    """Without `aws-chunked`, which says how the body travelled and is no part of the object's content encoding."""
    encoding = headers.get("content-encoding")
    if encoding is None or "aws-chunked" not in encoding:
        return headers
    kept = [each.strip() for each in encoding.split(",") if each.strip() not in {"aws-chunked", ""}]
    headers = {**headers, "content-encoding": ",".join(kept)}
    if not kept:
        del headers["content-encoding"]
    return headers


def decoded_length(headers: Mapping[str, str]) -> int:
    """The length of the payload inside `aws-chunked` framing."""
    text = headers.get("x-amz-decoded-content-length", "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ServiceError("MissingContentLength", "You must provide the Content-Length HTTP header.", status=411)
    return int(text)


def body_claims(headers: Mapping[str, str], operation: Operation, family: Family, chunked: bool) -> Claims:
    """What the headers say of the payload; `ServiceError` when they contradict themselves."""
    if operation.checksum_member is None and not operation.checksum_required:
        return NOTHING
    md5 = None
    if "content-md5" in headers:
        md5 = checksums.decode("MD5", headers["content-md5"])
        if md5 is None:
            raise ServiceError("InvalidDigest", "The Content-MD5 you specified is not valid.", status=400)
    checksum = _header_checksum(headers)
    trailer = _trailer(headers) if chunked else None
    if checksum is not None and trailer is not None:
        raise ServiceError("InvalidRequest", "Expecting a single x-amz-checksum- header", status=400)
    if checksum is None and trailer is None:
        if "x-amz-sdk-checksum-algorithm" in headers:
            raise ServiceError(
                "InvalidRequest",
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                "headers were found.",
                status=400,
            )
        if md5 is None and operation.checksum_required and family == "s3":
            raise ServiceError(
                "InvalidRequest",
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
                status=400,
            )
    return Claims(md5=md5, checksum=checksum, trailer=trailer)


def _header_checksum(headers: Mapping[str, str]) -> tuple[str, bytes] | None:
    found = [
        (algorithm, value)
        for name, value in headers.items()
        if name.startswith("x-amz-checksum-") and (algorithm := checksums.algorithm_of_header(name)) is not None
    ]
    if not found:
        return None
    if len(found) > 1:
        raise ServiceError(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            status=400,
        )
    algorithm, text = found[0]
    digest = checksums.decode(algorithm, text)
    if digest is None:
        raise ServiceError("InvalidRequest", f"Value for {checksums.header(algorithm)} header is invalid.", status=400)
    return algorithm, digest


def _trailer(headers: Mapping[str, str]) -> str | None:
    named = headers.get("x-amz-trailer")
    if named is None:
        return None
    algorithm = checksums.algorithm_of_header(named.strip().lower())
    if algorithm is None:
        raise ServiceError(
            "InvalidRequest", "The value specified in the x-amz-trailer header is not supported", status=400
        )
    return algorithm
