"""Tag sets: their rules, the x-amz-tagging header, the shape of the API. Pure."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from mayfly.services.objects.errors import error, invalid_argument
from mayfly.services.objects.model import Tags

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

MAX_OBJECT_TAGS: Final = 10
MAX_BUCKET_TAGS: Final = 50
_MAX_KEY: Final = 128
_MAX_VALUE: Final = 256
_ALLOWED: Final = re.compile(r"[\w\s+\-=.:/@]*")


def of_header(header: str) -> Tags:
    """The tags of an x-amz-tagging header: a query string, in which a name alone has an empty value."""
    try:
        pairs = parse_qsl(header, keep_blank_values=True, errors="strict")
    except ValueError:
        pairs = []
    # Empty pieces are passed over by the parser; in a header they can only be a mistake.
    if header and len({key for key, _ in pairs}) < header.count("&") + 1:
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates.",
            "x-amz-tagging",
            header,
        )
    return checked(pairs, MAX_OBJECT_TAGS)


def of_tag_set(tag_set: "Iterable[s3.TagTypeDef]", maximum: int) -> Tags:
    """The tags of a `TagSet`."""
    return checked([(tag["Key"], tag["Value"]) for tag in tag_set], maximum)


def to_tag_set(tags: Tags) -> list[dict[str, Any]]:
    """The `TagSet` of tags."""
    return [{"Key": key, "Value": value} for key, value in tags]


def checked(pairs: Iterable[tuple[str, str]], maximum: int) -> Tags:
    """The pairs as tags; BadRequest or InvalidTag when they break the rules."""
    tags = tuple(pairs)
    if len(tags) > maximum:
        if maximum == MAX_OBJECT_TAGS:
            raise error("BadRequest", f"Object tags cannot be greater than {maximum}")
        raise error("BadRequest", f"Bucket tag count cannot be greater than {maximum}")
    seen: set[str] = set()
    for key, value in tags:
        if not key or len(key) > _MAX_KEY or _ALLOWED.fullmatch(key) is None:
            raise error("InvalidTag", TagKey=key)
        if len(value) > _MAX_VALUE or _ALLOWED.fullmatch(value) is None:
            raise error("InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=value)
        if key.lower().startswith("aws:"):
            raise error("InvalidTag", "System tags cannot be added/updated by requester", TagKey=key)
        if key in seen:
            raise error("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        seen.add(key)
    return tags
