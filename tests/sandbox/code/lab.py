"""A function that does what its event says, so that a test can state its attack where it checks the outcome."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def run(event: Any, context: Any) -> Any:
    """Execute `event["code"]`; the result is what it assigns to `result`."""
    scope: dict[str, Any] = {"os": os, "sys": sys, "time": time, "socket": socket, "subprocess": subprocess}
    scope.update(event=event, context=context, errno_of=errno_of)
    exec(event["code"], scope)
    return scope.get("result")


def errno_of(action: Callable[..., Any], *arguments: Any) -> "int | None":
    """The number of the OSError that a call raises; 0 when it succeeds."""
    try:
        action(*arguments)
    except OSError as error:
        return error.errno
    return 0


def echo(event: Any, context: Any) -> Any:
    """Print `event["print"]` if it is there; answer with the event."""
    if isinstance(event, dict) and "print" in event:
        print(event["print"])
    return event
