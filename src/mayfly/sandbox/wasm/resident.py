"""What a template of the runtime `wasm` has loaded, and what its clones do: see `agent.residents`.

Wasmtime is loaded before the template leaves the host's file system, so that it need not be in the one of functions.
Its threads are made by the first call that writes or waits, which no template may do: threads do not survive a fork.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, NoReturn

from mayfly.sandbox.wasm import runner


class Wasm:
    """`residents.Resident`."""

    def __init__(self) -> None:
        self._machine = runner.Machine()

    def load(self, runtime: str) -> list[str]:
        return []

    def rehearse(self, directory: str) -> None:
        self._machine.rehearse()

    def warm(self, directory: str) -> None:
        self._machine.rehearse()

    def serve(self, control: socket.socket, request: Mapping[str, Any]) -> NoReturn:
        runner.serve(control, self._machine)


RESIDENT = Wasm
