"""Which mapping of a domain name a request means. Pure."""

import re
from collections.abc import Iterable

from mayfly.services.apis.domains import faults
from mayfly.services.apis.domains.model import Mapping

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(\*\.)?({_LABEL}\.)+{_LABEL}")
_PATH = re.compile(r"[A-Za-z0-9$\-_.+!*'()/]{1,300}")


def check_name(name: str) -> str:
    """A domain name in lower case; BadRequestException."""
    lower = name.lower()
    if len(lower) > 253 or not _NAME.fullmatch(lower):
        raise faults.bad("Invalid domain name specified")
    return lower


def check_path(path: str, *, levels: bool) -> str:
    """The path of a mapping; BadRequestException. `levels`: it may have slashes."""
    if path in ("", "(none)"):
        return ""
    if path.startswith("/") or "//" in path:
        raise faults.bad("API mapping key should not start with a '/' or have consecutive '/'s.")
    if path.endswith("/"):
        raise faults.bad("API mapping key should not end with a '/'.")
    if not _PATH.fullmatch(path) or ("/" in path and not levels):
        raise faults.bad("Base path only allows the characters a-zA-Z0-9$-_.+!*'()")
    return path


def match(mappings: Iterable[Mapping], path: str) -> tuple[Mapping, str] | None:
    """The mapping with the longest path that `path` (raw, a slash before it) is below, and what follows; or None."""
    best: Mapping | None = None
    for mapping in mappings:
        below = f"/{mapping.path}"
        if mapping.path and path != below and not path.startswith(f"{below}/"):
            continue
        if best is None or len(mapping.path) > len(best.path):
            best = mapping
    if best is None:
        return None
    rest = path[len(best.path) + 1 :] if best.path else path
    return best, rest or "/"
