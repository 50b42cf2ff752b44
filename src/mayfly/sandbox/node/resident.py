"""What lives in a template of Node.js: nothing. Its clones become another program."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, NoReturn

from mayfly.sandbox.node import launch


class Node:
    """See `agent.residents.Resident`."""

    def load(self, runtime: str) -> list[str]:
        return []

    def rehearse(self, directory: str) -> None:
        """There is nothing that a clone would write to."""

    def warm(self, directory: str) -> None:
        """Nor that it would want to have touched."""

    def serve(self, control: socket.socket, request: Mapping[str, Any]) -> NoReturn:
        """A Node.js that waits for INIT, or, where the function's variables must be there from the start, has it."""
        if request["early"]:
            launch.ahead(control, launch.INSIDE, request["memory_mb"])
        launch.with_function(control, launch.INSIDE)


RESIDENT = Node
