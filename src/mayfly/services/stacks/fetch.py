"""Getting the text of a template: from the request, or from an object that a URL names."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.ports import CodeSource
from mayfly.services.stacks.faults import validation

BODY_LIMIT = 51_200  # bytes in a request
OBJECT_LIMIT = 1024 * 1024  # bytes in a bucket
_S3_HOST = re.compile(r"s3[.-].*|s3")


async def body_of(source: CodeSource, context: RequestContext, params: Mapping[str, Any]) -> str | None:
    """The text that `TemplateBody` or `TemplateURL` gives; None if neither is there. `ServiceError` ValidationError."""
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if body is not None and url is not None:
        raise validation("Only one of TemplateBody and TemplateURL can be specified.")
    if body is not None:
        if len(body.encode()) > BODY_LIMIT:
            raise validation(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                f"Member must have length less than or equal to {BODY_LIMIT}"
            )
        return str(body)
    return None if url is None else await _read(source, *location(url, context.endpoint))


async def text_at(source: CodeSource, url: str, endpoint: str) -> str:
    """The text of the object that a URL names; `ServiceError` ValidationError, its message without "S3 error: "."""
    try:
        bucket, key, version = location(url, endpoint)
        return await _read(source, bucket, key, version)
    except ServiceError as error:
        cause = error.__cause__
        if isinstance(cause, ServiceError) and cause.code == "NoSuchBucket":
            raise validation(f"S3 bucket [{bucket}] does not exist.") from error
        raise validation(error.message.removeprefix("S3 error: ")) from error


def location(url: str, endpoint: str) -> tuple[str, str, str | None]:
    """Bucket, key and version that a URL of an object names, path-style or with the bucket in the host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    path = unquote(parts.path).lstrip("/")
    version = parse_qs(parts.query).get("versionId", [None])[0]
    if parts.scheme == "s3":
        bucket, key = host, path
    elif host == urlsplit(endpoint).hostname or _S3_HOST.fullmatch(host) or host in ("localhost", "127.0.0.1"):
        bucket, _, key = path.partition("/")
    else:
        bucket, key = re.split(r"\.s3[.-]", host)[0].removesuffix(f".{urlsplit(endpoint).hostname}"), path
    if parts.scheme not in ("http", "https", "s3") or not bucket or not key:
        raise validation("S3 error: The specified TemplateURL does not name an object in a bucket.")
    return bucket, key, version


async def _read(source: CodeSource, bucket: str, key: str, version: str | None) -> str:
    content = bytearray()
    try:
        async for chunk in await source.open(bucket, key, version):
            content += chunk
            if len(content) > OBJECT_LIMIT:
                raise validation(f"Template may not exceed {OBJECT_LIMIT} bytes in size.")
    except ServiceError as error:
        if error.code == "ValidationError":
            raise
        raise validation(f"S3 error: {error.message}") from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise validation("Template format error: the template is not UTF-8 text.") from error
