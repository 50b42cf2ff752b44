"""The rules of multipart uploads: which parts make an object, its ETag, its checksum. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from mayfly.services import checksums
from mayfly.services.contract import ServiceError
from mayfly.services.objects import claims
from mayfly.services.objects.errors import error, invalid_argument
from mayfly.services.objects.model import Checksum, ChecksumType, Part, Upload

MAX_PARTS: Final = 10_000
MIN_PART_BYTES: Final = 5 * 1024**2  # of every part but the last
# What S3 can make of parts with each algorithm; the first is the default.
_FULL_ONLY: Final = ("FULL_OBJECT",)
_COMPOSITE_ONLY: Final = ("COMPOSITE",)
_EITHER: Final = ("COMPOSITE", "FULL_OBJECT")


class Assembly(NamedTuple):
    """The object that an upload becomes."""

    parts: Sequence[Part]
    size: int
    etag: str
    checksum: Checksum | None


def checksum_type(algorithm: str, asked: str | None) -> ChecksumType:
    """How the checksums of parts become one, for an upload with `algorithm` ("" for none); InvalidRequest."""
    if not algorithm:
        if asked is not None:
            raise error(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )
        return "FULL_OBJECT"
    if algorithm == "CRC64NVME":
        possible: tuple[str, ...] = _FULL_ONLY
    else:
        possible = _EITHER if algorithm in checksums.COMBINABLE else _COMPOSITE_ONLY
    if asked is None:
        return cast("ChecksumType", possible[0])
    if asked not in possible:
        raise error(
            "InvalidRequest",
            f"The {asked} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
        )
    return cast("ChecksumType", asked)


def check_part_number(number: int) -> None:
    """InvalidArgument unless `number` can number a part."""
    if not 1 <= number <= MAX_PARTS:
        raise invalid_argument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", number)


def part_algorithm(upload: Upload) -> str:
    """The algorithm of which every part has a checksum: without the caller's choice, S3's own."""
    return upload.checksum_algorithm or claims.DEFAULT_ALGORITHM


def check_part_claim(upload: Upload, claim: claims.Claims) -> None:
    """InvalidRequest when a part does not bring the kind of checksum that its upload was begun with."""
    if upload.checksum_algorithm and claim.algorithm != upload.checksum_algorithm:
        raise _type_mismatch(upload, claim.algorithm if claim.named else "null")


def assemble(upload: Upload, uploaded: Sequence[Part], request: Mapping[str, Any]) -> Assembly:
    """The object made of the parts that a CompleteMultipartUpload names.

    InvalidPart, InvalidPartOrder, EntityTooSmall, BadDigest, InvalidRequest or MalformedXML when there is none.
    """
    named = request.get("MultipartUpload", {}).get("Parts", ())
    if not named:
        raise error("MalformedXML")
    by_number = {part.number: part for part in uploaded}
    parts = _chosen(upload, by_number, named)
    for part in parts[:-1]:
        if part.size < MIN_PART_BYTES:
            raise error(
                "EntityTooSmall",
                ETag=part.etag,
                PartNumber=part.number,
                ProposedSize=part.size,
                MinSizeAllowed=MIN_PART_BYTES,
            )
    size = sum(part.size for part in parts)
    expected = request.get("MpuObjectSize")
    if expected is not None and expected != size:
        raise error(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {size}",
        )
    checksum = _checksum(upload, parts)
    _check_claim(upload, checksum, request)
    return Assembly(parts, size, _etag(parts), checksum)


def _chosen(upload: Upload, uploaded: Mapping[int, Part], named: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The parts that the caller names, in order, each as the caller knows it."""
    chosen: list[Part] = []
    for entry in named:
        number = entry.get("PartNumber")
        if number is None:
            raise error("MalformedXML")
        check_part_number(number)
        if chosen and number <= chosen[-1].number:
            raise error("InvalidPartOrder", UploadId=upload.id)
        part = uploaded.get(number)
        etag = str(entry.get("ETag", "")).strip('"')
        if part is None or part.etag != etag:
            raise error("InvalidPart", UploadId=upload.id, PartNumber=number, ETag=etag)
        for algorithm, value in claims.given_checksums(entry).items():
            # Of an upload without an algorithm parts may have brought any; those were verified and are not kept.
            known = upload.checksum_algorithm or algorithm == claims.DEFAULT_ALGORITHM
            if known and (algorithm != part_algorithm(upload) or value != part.checksum):
                raise error("InvalidPart", UploadId=upload.id, PartNumber=number, ETag=etag)
        if _must_name_checksums(upload) and checksums.member(upload.checksum_algorithm) not in entry:
            name = upload.checksum_algorithm.lower()
            raise error(
                "InvalidRequest",
                f"The upload was created using a {name} checksum. The complete request must include the checksum for "
                f"each part. It was missing for part {number} in the request.",
            )
        chosen.append(part)
    return chosen


def _must_name_checksums(upload: Upload) -> bool:
    return bool(upload.checksum_algorithm) and upload.checksum_type == "COMPOSITE"


def _etag(parts: Sequence[Part]) -> str:
    whole = hashlib.md5(usedforsecurity=False)
    for part in parts:
        whole.update(bytes.fromhex(part.etag))
    return f"{whole.hexdigest()}-{len(parts)}"


def _checksum(upload: Upload, parts: Sequence[Part]) -> Checksum | None:
    algorithm = part_algorithm(upload)
    digests = [checksums.decode(algorithm, part.checksum) for part in parts]
    known = [digest for digest in digests if digest is not None]
    if len(known) < len(parts):
        return None
    if upload.checksum_type == "COMPOSITE":
        whole = checksums.new_checksum(algorithm)
        for digest in known:
            whole.update(digest)
        return Checksum(algorithm, "COMPOSITE", f"{checksums.encode(whole.digest())}-{len(parts)}")
    combined = known[0]
    for digest, part in zip(known[1:], parts[1:], strict=True):
        combined = checksums.combine(algorithm, combined, digest, part.size)
    return Checksum(algorithm, "FULL_OBJECT", checksums.encode(combined))


def _check_claim(upload: Upload, checksum: Checksum | None, request: Mapping[str, Any]) -> None:
    """BadDigest or InvalidRequest unless the object is the one that the request claims it to be."""
    asked = request.get("ChecksumType")
    if asked is not None and upload.checksum_algorithm and asked != upload.checksum_type:
        raise error(
            "InvalidRequest",
            f"The upload was created using the {upload.checksum_type} checksum mode. The complete request must use "
            "the same checksum mode.",
        )
    for algorithm, value in claims.given_checksums(request).items():
        if algorithm != part_algorithm(upload):
            raise _type_mismatch(upload, algorithm)
        # A composite checksum may come with or without the number of parts behind it.
        if checksum is None or value not in (checksum.value, checksum.value.partition("-")[0]):
            raise claims.checksum_mismatch(algorithm)


def _type_mismatch(upload: Upload, actual: str) -> ServiceError:
    return error(
        "InvalidRequest",
        f"Checksum Type mismatch occurred, expected checksum Type: {upload.checksum_algorithm.lower() or 'null'}, "
        f"actual checksum Type: {actual.lower()}",
    )
