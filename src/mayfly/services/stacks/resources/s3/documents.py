"""The documents of a bucket that are put, read and deleted by an operation each, and how templates write them. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# What a CORS rule's members are called in the S3 API, where that differs.
_CORS_NAMES = {"ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}
_CORS_BACK = {value: name for name, value in _CORS_NAMES.items()}


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Document:
    name: str  # the property
    operation: str  # behind Put, Get and Delete
    member: str  # of requests and replies
    none: str  # the error that says that there is none
    said: Callable[[Any], Any] = _same  # from the template's form to that of S3's API
    back: Callable[[Any], Any] = _same  # the other way round

    def seen(self, properties: Mapping[str, Any], reply: Mapping[str, Any]) -> Any:
        """What a reply says, in the template's form."""
        return self.back(reply.get(self.member, reply))


def _cors(value: Mapping[str, Any]) -> dict[str, Any]:
    rules = [{_CORS_NAMES.get(name, name): said for name, said in rule.items()} for rule in value["CorsRules"]]
    return {"CORSRules": rules}


def _cors_back(value: Any) -> dict[str, Any]:
    rules = value["CORSRules"] if isinstance(value, Mapping) else value
    return {"CorsRules": [{_CORS_BACK.get(name, name): said for name, said in rule.items()} for rule in rules]}


DOCUMENTS = (
    Document("CorsConfiguration", "BucketCors", "CORSConfiguration", "NoSuchCORSConfiguration", _cors, _cors_back),
    Document("OwnershipControls", "BucketOwnershipControls", "OwnershipControls", "OwnershipControlsNotFoundError"),
    Document(
        "PublicAccessBlockConfiguration",
        "PublicAccessBlock",
        "PublicAccessBlockConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
    ),
)
