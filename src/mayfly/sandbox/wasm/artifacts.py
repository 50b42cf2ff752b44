"""Where a compiled module lies, what is known of it, and when it is out of date. Imports nothing of wasmtime.

Compiling makes two files in a directory of the package: machine code, and a verdict (JSON) that says how to run it, or
why it cannot be. Machine code is believed by whoever loads it: a module that breaks the compiler could have it write
what it likes. So it is loaded in the sandbox of the function that brought the module, and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import platform
from typing import Literal, NamedTuple

NAME = "wasm"  # of the runtime, and of its template
DIRECTORY = ".mayfly-wasm"  # in the package; whatever a zip brings at this place is removed
VERDICT, CODE = ".json", ".cwasm"
# What else than the engine's version decides whether machine code fits: `engine.make`.
_CONFIGURATION = "2"
_CPU_INFO = "/proc/cpuinfo"

# A module with `_start`; a component that exports wasi:cli/run; one that exports `handle`.
Kind = Literal["command", "run", "handle"]


class Verdict(NamedTuple):
    """What the compiler found. Exactly one of the two is set."""

    kind: Kind | None = None
    error: str | None = None  # a sentence without a subject: it follows the file's name

    def encoded(self) -> bytes:
        return json.dumps(self._asdict()).encode()

    @classmethod
    def decoded(cls, text: bytes) -> Verdict:
        """ValueError."""
        value = json.loads(text)
        if not isinstance(value, dict) or len(text) > 1 << 16:
            raise ValueError("a verdict is a small object")
        kind, error = value.get("kind"), value.get("error")
        if error is not None:
            return cls(error=str(error))
        if kind not in ("command", "run", "handle"):
            raise ValueError(f"{kind!r} is no kind of module")
        return cls(kind=kind)


def fingerprint(version: str) -> str:
    """What machine code depends on: `version` of wasmtime, the processor with all that it can do, our configuration."""
    with open(_CPU_INFO, encoding="ascii", errors="replace") as file:
        able = next((line for line in file if line.startswith(("flags", "Features"))), "")
    text = "\n".join((version, platform.machine(), " ".join(sorted(able.split())), _CONFIGURATION))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def place(handler: str, fingerprint: str) -> str:
    """The path of both files in the package, without their suffixes."""
    return f"{DIRECTORY}/{fingerprint}/{hashlib.sha256(handler.encode()).hexdigest()[:32]}"
