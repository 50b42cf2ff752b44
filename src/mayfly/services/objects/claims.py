"""What a request claims about the bytes it carries, and whether that is so. Pure.

A body has at most one flexible checksum: in a header, in a trailer behind the body (the wire checks those and names
the algorithm in `x-amz-trailer`), or none, when Mayfly computes CRC-64/NVME as S3 does.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from mayfly.services import checksums
from mayfly.services.objects.errors import error

DEFAULT_ALGORITHM: Final = "CRC64NVME"


class Claims(NamedTuple):
    """What must hold of a body once it has been read."""

    md5: bytes | None
    algorithm: str  # of the checksum to compute
    digest: bytes | None  # what it must come to, when the header said
    named: bool  # whether the caller chose the algorithm

    def check(self, md5: bytes, digest: bytes) -> None:
        """BadDigest when the bytes are not those that the caller meant to send."""
        if self.md5 is not None and self.md5 != md5:
            raise error(
                "BadDigest",
                ExpectedDigest=base64.b64encode(self.md5).decode(),
                CalculatedDigest=base64.b64encode(md5).decode(),
            )
        if self.digest is not None and self.digest != digest:
            raise checksum_mismatch(self.algorithm)


def of_request(request: Mapping[str, Any], headers: Mapping[str, str]) -> Claims:
    """The claims of a PutObject or UploadPart; InvalidDigest or InvalidRequest when they make no sense."""
    md5 = _md5(request["ContentMD5"]) if "ContentMD5" in request else None
    given = given_checksums(request)
    if len(given) > 1:
        raise error(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    declared = _declared(request)
    if given:
        ((algorithm, text),) = given.items()
        digest = checksums.decode(algorithm, text)
        if digest is None:
            raise error("InvalidRequest", f"Value for {checksums.header(algorithm)} header is invalid.")
        return Claims(md5, algorithm, digest, named=True)
    trailing = _trailing(headers)
    if trailing is not None:
        return Claims(md5, trailing, None, named=True)
    if declared is not None:
        raise error(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found.",
        )
    return Claims(md5, DEFAULT_ALGORITHM, None, named=False)


def given_checksums(members: Mapping[str, Any]) -> dict[str, str]:
    """The checksums among a structure's members, by algorithm."""
    return {
        algorithm: members[checksums.member(algorithm)]
        for algorithm in checksums.ALGORITHMS
        if checksums.member(algorithm) in members
    }


def known_algorithm(name: str) -> str:
    """The algorithm `name`; InvalidRequest unless it is one."""
    if name not in checksums.ALGORITHMS:
        raise error(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the "
            f"valid types: [{', '.join(checksums.ALGORITHMS)}]",
        )
    return name


def checksum_mismatch(algorithm: str) -> Exception:
    """BadDigest for a flexible checksum."""
    return error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def _declared(request: Mapping[str, Any]) -> str | None:
    name = request.get("ChecksumAlgorithm")
    return None if name is None else known_algorithm(str(name).upper())


def _trailing(headers: Mapping[str, str]) -> str | None:
    for name in headers.get("x-amz-trailer", "").split(","):
        algorithm = checksums.algorithm_of_header(name.strip().lower())
        if algorithm is not None:
            return algorithm
    return None


def _md5(text: str) -> bytes:
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise error("InvalidDigest", None, None, **{"Content-MD5": text})
    return digest
