"""Where a request says that the code is: inline, in a bucket, or in a container image."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.image_code import ImageSource
from mayfly.services.functions.model import Code
from mayfly.services.ports import CodeSource


class CodeSources:
    """Takes packages into the library, and images, from wherever a request points."""

    def __init__(self, library: CodeLibrary, images: ImageSource, objects: CodeSource) -> None:
        self._library = library
        self._images = images
        self._objects = objects

    @asynccontextmanager
    async def ingest(self, params: Mapping[str, Any]) -> AsyncIterator[Code]:
        """What ImageUri, ZipFile, or S3Bucket and S3Key, name. Pinned while the context is open; `ServiceError`."""
        if params.get("ImageUri"):
            async with self._images.named(params["ImageUri"]) as code:
                yield code
            return
        if params.get("SourceKMSKeyArn"):
            raise faults.not_built("packages encrypted with SourceKMSKeyArn")
        if params.get("S3ObjectStorageMode", "COPY") != "COPY":
            raise faults.not_built("S3ObjectStorageMode REFERENCE")
        if "ZipFile" in params and "S3Bucket" not in params:
            async with self._library.ingest_bytes(bytes(params["ZipFile"])) as code:
                yield code
        elif "S3Bucket" in params and "S3Key" in params and "ZipFile" not in params:
            chunks = self._fetch(params["S3Bucket"], params["S3Key"], params.get("S3ObjectVersion"))
            async with self._library.ingest(chunks) as code:
                yield code
        else:
            raise faults.invalid_parameter("Please provide a source for function code.")

    async def _fetch(self, bucket: str, key: str, version: str | None) -> AsyncIterator[bytes]:
        try:
            async for chunk in await self._objects.open(bucket, key, version):
                yield chunk
        except ServiceError as error:
            raise faults.invalid_parameter(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
            ) from error
