"""What a copy copies: the source that a request names, the directives, the rules. Pure."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from mayfly.services.objects import checks, descriptions
from mayfly.services.objects.errors import error, invalid_argument, not_implemented
from mayfly.services.objects.model import Description, StoredObject

_DIRECTIVES: Final = ("COPY", "REPLACE")


class Source(NamedTuple):
    """The object named by x-amz-copy-source."""

    bucket: str
    key: str
    version: str | None


def source_of(text: str) -> Source:
    """The source that `text` ("/bucket/key?versionId=…", percent-encoded) names; InvalidArgument otherwise."""
    path, _, query = text.partition("?")
    if path.startswith("arn:"):
        raise not_implemented("Mayfly does not implement access points as the source of a copy.")
    try:
        bucket, _, key = unquote(path.removeprefix("/"), errors="strict").partition("/")
    except UnicodeDecodeError:
        bucket = key = ""
    if not bucket or not key:
        raise invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "x-amz-copy-source", text
        )
    name, _, version = query.partition("=")
    if query and name != "versionId":
        raise invalid_argument("Unsupported copy source parameter.", "x-amz-copy-source", text)
    return Source(bucket, key, version if query else None)


def check_source_size(size: int) -> None:
    """InvalidRequest for a source too big for one copy; it can be copied in parts."""
    if size > checks.MAX_PUT_BYTES:
        raise error(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{checks.MAX_PUT_BYTES}",
        )


def check_change(request: Mapping[str, Any], source: Source) -> None:
    """InvalidRequest for the copy of an object to itself that would change nothing."""
    to_itself = (request["Bucket"], request["Key"]) == (source.bucket, source.key)
    changes = _directive(request, "MetadataDirective", "metadata") == "REPLACE" or any(
        member in request for member in ("StorageClass", "WebsiteRedirectLocation")
    )
    if to_itself and source.version is None and not changes:
        raise error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )


def description_of(request: Mapping[str, Any], source: StoredObject) -> Description:
    """The description of the copy: the source's or the request's, as the directives say."""
    asked = descriptions.of_request(request)
    headers, metadata = asked.headers, asked.metadata
    if _directive(request, "MetadataDirective", "metadata") == "COPY":
        headers, metadata = dict(source.description.headers), source.description.metadata
        # A redirect belongs to its place and is never copied.
        headers.pop("WebsiteRedirectLocation", None)
        if "WebsiteRedirectLocation" in request:
            headers["WebsiteRedirectLocation"] = request["WebsiteRedirectLocation"]
    copied_tags = _directive(request, "TaggingDirective", "tagging") == "COPY"
    return Description(headers, metadata, source.description.tags if copied_tags else asked.tags)


def _directive(request: Mapping[str, Any], member: str, word: str) -> str:
    directive = str(request.get(member, "COPY"))
    if directive not in _DIRECTIVES:
        raise invalid_argument(f"Unknown {word} directive.", f"x-amz-{word}-directive", directive)
    return directive
