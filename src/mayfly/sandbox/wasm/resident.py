"""What a template of the runtime `wasm` has loaded, and what its clones do: see `agent.residents`.

Wasmtime is loaded before the template leaves the host's file system, so that it need not be in the one of functions.
Its threads are made by the first call that writes or waits, which no template may do: threads do not survive a fork.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, NoReturn

import wasmtime

from mayfly.sandbox.wasm import instances, runner

# A module that does nothing: in text, which is compiled here, once, by the template.
_NOTHING = '(module (memory (export "memory") 1) (func (export "_start")))'
_GRANTS = instances.Grants(["app.wasm"], {f"REHEARSED_{n:02}": "-" * 30 for n in range(20)}, 1 << 26, lambda _: None)


class Wasm:
    """`residents.Resident`."""

    def __init__(self) -> None:
        self._machine = runner.Machine()
        module = wasmtime.Module(self._machine.engine, _NOTHING)
        self._rehearsed = instances.Instances(self._machine.linkers, "command", module)

    def load(self, runtime: str) -> list[str]:
        return []

    def rehearse(self, directory: str) -> None:
        store = self._rehearsed.begin(_GRANTS, b"{}", None, lambda _: None)
        self._rehearsed.command(store)
        store.close()

    def warm(self, directory: str) -> None:
        self.rehearse(directory)

    def serve(self, control: socket.socket, request: Mapping[str, Any]) -> NoReturn:
        runner.serve(control, self._machine)


RESIDENT = Wasm
