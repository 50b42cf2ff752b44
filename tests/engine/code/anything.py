"""One function that does what its event says, well behaved or not."""

import os
import socket
import sys
import time
from typing import Any


def handler(event: dict[str, Any], connection: socket.socket) -> Any:
    what = event["event"]["what"]
    print(what, event["event"]["number"], flush=True)
    match what:
        case "answer":
            return event["event"]["number"]
        case "raise":
            raise ValueError(event["event"]["number"])
        case "exit":
            sys.exit(1)
        case "leave":
            os._exit(1)
        case "sleep":
            time.sleep(3600)
        case "garbage":
            connection.sendall(b"\xff" * 64)
            time.sleep(3600)
    return None
