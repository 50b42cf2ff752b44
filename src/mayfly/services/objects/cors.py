"""Cross-origin rules of buckets: their shape, and which one a request falls under. Pure.

`match` is for the front door, which answers preflight requests and adds the headers to replies.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from mayfly.services.objects.errors import error

MAX_RULES: Final = 100
_METHODS: Final = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})


class CorsRule(msgspec.Struct, frozen=True):
    """One rule, as PutBucketCors has it."""

    methods: tuple[str, ...]
    origins: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age_s: int | None = None
    id: str | None = None


class CorsAnswer(msgspec.Struct, frozen=True):
    """What a browser is told when a rule allows its request."""

    allow_origin: str
    allow_credentials: bool
    allow_methods: tuple[str, ...]
    allow_headers: tuple[str, ...]  # of those that the preflight asked for
    exposed: tuple[str, ...]
    max_age_s: int | None


def match(rules: Sequence[CorsRule], origin: str, method: str, asked_headers: Sequence[str] = ()) -> CorsAnswer | None:
    """The answer of the first rule that allows `origin`, `method` and every one of `asked_headers`; None if none."""
    for rule in rules:
        pattern = next((pattern for pattern in rule.origins if _like(origin, pattern)), None)
        if pattern is None or method not in rule.methods:
            continue
        allowed = [pattern.lower() for pattern in rule.headers]
        if not all(any(_like(name.lower(), pattern) for pattern in allowed) for name in asked_headers):
            continue
        anyone = pattern == "*"
        return CorsAnswer(
            allow_origin="*" if anyone else origin,
            allow_credentials=not anyone,
            allow_methods=rule.methods,
            allow_headers=tuple(name.lower() for name in asked_headers),
            exposed=rule.exposed,
            max_age_s=rule.max_age_s,
        )
    return None


def parse(rules: Sequence[Mapping[str, Any]]) -> tuple[CorsRule, ...]:
    """The rules of a CORSConfiguration; InvalidRequest or MalformedXML when they break S3's rules."""
    if not 1 <= len(rules) <= MAX_RULES:
        raise error("MalformedXML")
    return tuple(_rule(rule) for rule in rules)


def render(rules: Sequence[CorsRule]) -> list[dict[str, Any]]:
    """The CORSRules that `parse` read."""
    return [_rendered(rule) for rule in rules]


def _rule(rule: Mapping[str, Any]) -> CorsRule:
    methods, origins = tuple(rule.get("AllowedMethods", ())), tuple(rule.get("AllowedOrigins", ()))
    if not methods or not origins:
        raise error("MalformedXML")
    for method in methods:
        if method not in _METHODS:
            raise error(
                "InvalidRequest", f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            )
    headers = tuple(rule.get("AllowedHeaders", ()))
    for name, patterns in (("AllowedOrigin", origins), ("AllowedHeader", headers)):
        for pattern in patterns:
            if pattern.count("*") > 1:
                raise error("InvalidRequest", f'{name} "{pattern}" can not have more than one wildcard.')
    exposed = tuple(rule.get("ExposeHeaders", ()))
    for header in exposed:
        if "*" in header:
            raise error(
                "InvalidRequest",
                f'ExposeHeader "{header}" contains wildcard. We currently do not support wildcard for ExposeHeader.',
            )
    return CorsRule(methods, origins, headers, exposed, rule.get("MaxAgeSeconds"), rule.get("ID"))


def _rendered(rule: CorsRule) -> dict[str, Any]:
    shown: dict[str, Any] = {"AllowedMethods": list(rule.methods), "AllowedOrigins": list(rule.origins)}
    if rule.id is not None:
        shown["ID"] = rule.id
    if rule.headers:
        shown["AllowedHeaders"] = list(rule.headers)
    if rule.exposed:
        shown["ExposeHeaders"] = list(rule.exposed)
    if rule.max_age_s is not None:
        shown["MaxAgeSeconds"] = rule.max_age_s
    return shown


def _like(text: str, pattern: str) -> bool:
    head, star, tail = pattern.partition("*")
    if not star:
        return text == pattern
    return len(text) >= len(head) + len(tail) and text.startswith(head) and text.endswith(tail)
