"""Events and results: JSON text to values and back, as AWS's runtime does it. Decimals keep their digits."""

from __future__ import annotations

import decimal
import json
import re
from collections.abc import Mapping
from typing import Any

from mayfly.sandbox.python.failures import RuntimeFault

# The encoder of the standard library cannot be given a number's text. A Decimal is encoded as a string with this mark,
# and the quotes and the mark are taken away afterwards.
_MARK = "\ue0a1mayfly-decimal\ue0a1"


# What they cannot encode, `_Encoder` tries again; making one of those costs as much as encoding a small result.
_ESCAPING, _PLAIN = json.JSONEncoder().encode, json.JSONEncoder(ensure_ascii=False).encode


class _Encoder(json.JSONEncoder):
    decimals = 0

    def default(self, value: Any) -> Any:
        if not isinstance(value, decimal.Decimal):
            return super().default(value)
        if value.is_nan():
            return float("nan")
        self.decimals += 1
        return _MARK + str(value)


def ascii_only(environment: Mapping[str, str]) -> bool:
    """The runtimes up to python3.11 escape what is not ASCII; later ones do not. Either is the same JSON."""
    name = environment.get("AWS_EXECUTION_ENV", "")
    return name.rpartition("python3.")[2] in {"8", "9", "10", "11"}


def event_of(payload: bytes) -> Any:
    """The event of an INVOKE; `RuntimeFault` Runtime.UnmarshalError."""
    try:
        return json.loads(str(payload, "utf-8", "surrogatepass"))  # of bytes, the encoding would be guessed first
    except ValueError as error:
        raise RuntimeFault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None


def encode(result: Any, ascii_only: bool) -> bytes:
    """JSON text of a result; bytes pass as they are. `RuntimeFault` Runtime.MarshalError."""
    if isinstance(result, bytes):
        return result
    try:
        try:
            text = (_ESCAPING if ascii_only else _PLAIN)(result)
        except TypeError:
            text = _with_decimals(result, ascii_only)
        return text.encode()
    except Exception as error:  # a user's object may raise anything while it is looked at
        raise RuntimeFault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def _with_decimals(result: Any, ascii_only: bool) -> str:
    encoder = _Encoder(ensure_ascii=ascii_only)
    text = encoder.encode(result)
    if not encoder.decimals:
        return text
    mark = json.dumps(_MARK, ensure_ascii=ascii_only)[1:-1]
    return re.sub(f'"{re.escape(mark)}([^"]*)"', r"\1", text)
