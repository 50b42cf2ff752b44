"""The runtime of the engine tests: speaks `sandbox.frames`, and does wrong what a test asks it to do wrong.

Run as a script: `child.py <directory of frames.py> <control descriptor>`. Handlers are called with the event and this
process's end of the control socket, so that a test can break the protocol from inside.
"""

import importlib
import json
import os
import socket
import sys
import time
from typing import Any


def main(frames_directory: str, control: int) -> None:
    sys.path.insert(0, frames_directory)
    frames: Any = importlib.import_module("frames")
    connection = socket.socket(fileno=control)
    decoder = frames.Decoder()
    handler: Any = None
    early: list[Any] = []  # calls that came before init was done, and wait for what it printed to be read
    unread = True
    while data := connection.recv(1 << 20):
        for frame in [*decoder.feed(data)]:
            if frame.kind == frames.CONTINUE:
                unread = False
                continue
            early.append(frame)
        while early and not (unread and early[0].kind == frames.INVOKE and early[0].flags & frames.AHEAD):
            frame = early.pop(0)
            if frame.kind == frames.INIT:
                os.environ.update(frame.meta["environment"])
                sys.path.insert(0, frame.meta["task_root"])
                module, _, name = frame.meta["handler"].rpartition(".")
                began = time.monotonic()
                try:
                    handler = getattr(importlib.import_module(module), name)
                except Exception as error:
                    print(f"init failed: {error}", flush=True)
                    connection.sendall(frames.encode(frames.INIT_ERROR, None, _error(error)))
                    return
                connection.sendall(frames.encode(frames.READY, {"init_ms": (time.monotonic() - began) * 1000}))
                continue
            number = frame.number
            names = ("request_id", "deadline_ms", "arn", "trace_id", "client_context", "identity", "tenant")
            fields = frames.call_fields(frame.head)
            meta = {name: field for name, field in zip(names, fields, strict=True) if field}
            meta["deadline_ms"] = int(meta["deadline_ms"]) + int(time.time() * 1000) * (frame.flags & frames.AHEAD)
            try:
                result = handler({"meta": meta, "event": json.loads(frame.payload)}, connection)
            except SystemExit as error:
                connection.sendall(frames.encode(frames.ERROR, {"fatal": True}, _error(error), number))
                raise
            except Exception as error:
                connection.sendall(frames.encode(frames.ERROR, None, _error(error), number))
            else:
                connection.sendall(frames.encode(frames.RESULT, None, json.dumps(result).encode(), number))


def _error(error: BaseException) -> bytes:
    return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__}).encode()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
