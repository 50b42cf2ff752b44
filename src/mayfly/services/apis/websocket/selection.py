"""Selection expressions: which route, template or response a message means. Pure.

`$request.body.action`, `${request.body.kind}-${request.header.x}`, `$integration.response.statuscode`, a literal like
`200`, or `\\$default`. What an expression cannot find is nothing, and an expression of which a part is not found
selects nothing: `$default` does then.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from mayfly.vtl import jsonpath, regexes
from mayfly.vtl.errors import TemplateError
from mayfly.vtl.values import text_of

DEFAULT = "$default"
_WHOLE = re.compile(r"\$([A-Za-z]+(?:\.[\w$\[\]'\"*@:-]+)+)")
_PART = re.compile(r"\$\{([^}]*)\}")

Lookup = Callable[[str], str | None]


def selected(expression: str | None, lookup: Lookup) -> str | None:
    """The key that an expression gives; None: none. `lookup` finds `request.body.action` and the like."""
    if not expression or expression in (DEFAULT, f"\\{DEFAULT}"):
        return DEFAULT if expression else None
    whole = _WHOLE.fullmatch(expression)
    if whole is not None:
        return lookup(whole[1])
    found = [lookup(part) for part in _PART.findall(expression)]
    if any(value is None for value in found):
        return None
    values = iter(found)
    return _PART.sub(lambda _: next(values) or "", expression)


def below(document: Any, path: str) -> str | None:
    """What stands at a path like `action` or `detail.kind` in a JSON document, as text; None: nothing."""
    try:
        found = jsonpath.compiled(f"$.{path}" if path else "$").find(document)
    except TemplateError:
        return None
    return None if found is jsonpath.MISSING or found is None else text_of(found)


def matching(keys: Mapping[str, Any], key: str | None) -> str | None:
    """Which of the keys of integration responses is meant: the key itself, a pattern between slashes, `$default`."""
    if key is not None:
        if key in keys:
            return key
        for each in keys:
            if each.startswith("/") and each.endswith("/") and len(each) > 2 and _matches(each[1:-1], key):
                return each
    return DEFAULT if DEFAULT in keys else None


def _matches(pattern: str, key: str) -> bool:
    try:
        return regexes.matches(key, pattern)
    except TemplateError:
        return False
