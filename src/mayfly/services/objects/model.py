"""The values of the objects service: buckets, objects, parts, uploads. Nothing here reads or writes anything."""

from typing import Literal

import msgspec

from mayfly.services.objects.versioning import NULL, Versioning

ChecksumType = Literal["FULL_OBJECT", "COMPOSITE"]
Tags = tuple[tuple[str, str], ...]


class Rule(msgspec.Struct, frozen=True):
    """One notification configuration: which events of which keys go to which function, queue or topic."""

    id: str
    target: str  # ARN
    events: tuple[str, ...]  # "s3:ObjectCreated:*"
    prefix: str | None = None  # as the caller wrote it, percent-encoded where it had to be
    suffix: str | None = None


class Bucket(msgspec.Struct, frozen=True):
    """A bucket. `account` owns it and everything in it."""

    name: str
    account: str
    region: str
    created_at: float
    rules: tuple[Rule, ...] = ()
    versioning: Versioning = ""
    event_bus: bool = False  # the default event bus hears of what happens in it


class Checksum(msgspec.Struct, frozen=True):
    """A checksum that S3 stores with an object; `value` is base64, of composite ones with "-<parts>" behind it."""

    algorithm: str
    type: ChecksumType
    value: str


class Description(msgspec.Struct, frozen=True):
    """What a caller says about an object besides its bytes."""

    headers: dict[str, str] = {}  # by member name; Expires as Unix seconds in decimal
    metadata: dict[str, str] = {}
    tags: Tags = ()


class StoredObject(msgspec.Struct, frozen=True):
    """One object as it is stored."""

    bucket: str
    key: str
    version: str
    size: int
    etag: str  # without quotation marks
    modified_at: int
    digest: str  # "" when the bytes are in parts
    part_count: int
    checksum: Checksum | None
    description: Description
    version_id: str = NULL  # S3's name for it; `version` is the owner of its bytes
    position: int = 0  # among the versions of its key, newest highest

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'


class DeleteMarker(msgspec.Struct, frozen=True):
    """A version that says that there is no object."""

    bucket: str
    key: str
    version_id: str
    position: int
    modified_at: int


class Removal(msgspec.Struct, frozen=True):
    """What a delete did: which version it removed or, as a marker, made; "" where versions have no part in it."""

    version_id: str = ""
    marker: bool = False


class ListedVersion(msgspec.Struct, frozen=True):
    """What a listing shows of a version."""

    key: str
    position: int
    version_id: str
    size: int
    etag: str
    modified_at: int
    checksum_algorithm: str
    checksum_type: str
    marker: int  # 1 for a delete marker
    latest: int  # 1 for the newest version of its key


class ListedObject(msgspec.Struct, frozen=True):
    """What a listing shows of an object."""

    key: str
    size: int
    etag: str
    modified_at: int
    checksum_algorithm: str
    checksum_type: str


class Part(msgspec.Struct, frozen=True):
    """A part of an upload, or of the object that the upload became."""

    owner: str
    number: int
    link: str
    digest: str
    size: int
    start: int  # -1 until completion
    etag: str
    checksum: str  # base64; "" where there is none
    modified_at: int


class Upload(msgspec.Struct, frozen=True):
    """A multipart upload in progress."""

    id: str
    bucket: str
    key: str
    initiated_at: int
    initiator: str
    checksum_algorithm: str  # "" when the caller named none
    checksum_type: ChecksumType
    description: Description
