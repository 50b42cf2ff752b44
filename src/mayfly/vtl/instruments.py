"""`$input` and `$util`: what API Gateway puts at a template's hand besides values."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from mayfly.vtl import jsonpath, relaxed_json
from mayfly.vtl.errors import TemplateRunError
from mayfly.vtl.methods.strings import bounded
from mayfly.vtl.values import Fields, json_of, text_of

_PLACES = ("path", "querystring", "header")  # where `$input.params(name)` looks, in this order
_ESCAPES = {
    "'": "\\'",
    '"': '\\"',
    "\\": "\\\\",
    "/": "\\/",
    "\b": "\\b",
    "\n": "\\n",
    "\t": "\\t",
    "\f": "\\f",
    "\r": "\\r",
}


class Input:
    """`$input`: the payload and the parameters of a request, or of a response.

    The payload is read once: what a template changes in `$input.path('$')` shows in `$input.json('$')`.
    """

    __slots__ = ("_body", "_params", "_read", "_value")

    def __init__(self, body: str, params: Mapping[str, Mapping[str, Any]]) -> None:
        self._body = body or "{}"  # what an empty payload is, as recorded
        self._params: dict[str, dict[str, Any]] = {
            place: Fields(params.get(place, {})) if place == "header" else dict(params.get(place, {}))
            for place in _PLACES
        }
        self._read = False
        self._value: Any = None

    def property(self, name: str) -> Any:
        return self._body if name == "body" else None

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name == "params" and len(arguments) <= 1:
            return self._param(arguments[0]) if arguments else self._params
        if name in ("path", "json") and len(arguments) == 1 and isinstance(arguments[0], str):
            found = jsonpath.compiled(arguments[0]).find(self._payload())
            if name == "path":
                return None if found is jsonpath.MISSING else found
            return '""' if found is jsonpath.MISSING else json_of(found)
        return None

    def _payload(self) -> Any:
        if not self._read:
            self._value = relaxed_json.read(self._body)
            self._read = True
        return self._value

    def _param(self, name: Any) -> Any:
        wanted = text_of(name)
        for place in _PLACES:
            found = self._params[place]
            value = found.field(wanted) if isinstance(found, Fields) else found.get(wanted)
            if value is not None:
                return value
        return ""


class Util:
    """`$util`: the six functions that API Gateway documents."""

    __slots__ = ()

    def property(self, name: str) -> Any:
        return None

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if len(arguments) != 1 or arguments[0] is None:
            return None
        if name == "parseJson":
            return _parsed(arguments[0])
        function = _FUNCTIONS.get(name)
        return None if function is None else bounded(function(text_of(arguments[0])))


def escape_java_script(text: str) -> str:
    """Text as the inside of a string of JavaScript; single quotes and slashes are escaped, too."""
    return "".join([_ESCAPES.get(char) or _escaped(char) for char in text])


def _escaped(char: str) -> str:
    if " " <= char <= "~":
        return char
    code = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{code[at : at + 2].hex().upper()}" for at in range(0, len(code), 2))


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return relaxed_json.strict(value)
    except ValueError:
        pass
    found = relaxed_json.read(value)
    if isinstance(found, str) and value.lstrip().startswith(("{", "[")):
        raise TemplateRunError("parseJson was given what is no JSON")
    return found


def _url_encoded(text: str) -> str:
    return quote_plus(text, safe="*", errors="replace").replace("~", "%7E")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


def _decoded(text: str) -> str:
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4)).decode("utf-8", "replace")
    except binascii.Error as error:
        raise TemplateRunError("base64Decode was given what is no Base64") from error


_FUNCTIONS: Mapping[str, Callable[[str], str]] = {
    "escapeJavaScript": escape_java_script,
    "urlEncode": _url_encoded,
    "urlDecode": lambda text: unquote_plus(text, errors="replace"),
    "base64Encode": _encoded,
    "base64Decode": _decoded,
}
