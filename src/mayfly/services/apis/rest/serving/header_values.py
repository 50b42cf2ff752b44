"""Values of headers that come from somewhere else: one line each, whatever they are. Pure."""

import re

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LATIN = re.compile(r"[\x00-\xff]*")


def sendable(value: str) -> str:
    """The value with blanks for control characters; beyond Latin-1, the bytes of UTF-8."""
    said = CONTROL.sub(" ", value)
    return said if said.isascii() or _LATIN.fullmatch(said) else said.encode("utf-8", "replace").decode("latin-1")
