"""Options of a server on their way from the child that read them to the process that serves."""

from pathlib import Path
from typing import Any

import msgspec

from mayfly.app.options import ServerOptions


def packed(options: ServerOptions) -> bytes:
    return msgspec.json.encode(options, enc_hook=str)


def unpacked(data: bytes) -> ServerOptions:
    return msgspec.json.decode(data, type=ServerOptions, dec_hook=_path)


def _path(kind: type, text: Any) -> Any:
    if kind is not Path:
        raise NotImplementedError(f"{kind} is no option's type")
    return Path(text)
