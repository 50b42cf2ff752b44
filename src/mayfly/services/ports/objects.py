"""Objects, as others read and write them."""

from collections.abc import AsyncIterator
from typing import Protocol

from mayfly.services.ports.events import Source


class CodeSource(Protocol):
    """Given by objects, used by functions and stacks: the bytes of an object."""

    async def open(self, bucket: str, key: str, version: str | None) -> AsyncIterator[bytes]:
        """`ServiceError` NoSuchBucket, NoSuchKey or NoSuchVersion."""


class ObjectSink(Protocol):
    """Given by objects, used by functions: objects that the platform itself writes."""

    async def has_bucket(self, bucket: str) -> bool:
        """Whether there is such a bucket."""

    async def put(self, bucket: str, key: str, body: bytes, content_type: str, source: "Source") -> None:
        """Write an object on behalf of `source`; durable on return. `ServiceError` NoSuchBucket."""
