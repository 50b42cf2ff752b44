"""The functions that the engine tests run. `event["event"]` is the payload, `connection` the control socket."""

import os
import signal
import socket
import struct
import sys
import threading
import time
from typing import Any

Event = dict[str, Any]
_calls: list[int] = []


def echo(event: Event, connection: socket.socket) -> Any:
    return event["event"]


def meta(event: Event, connection: socket.socket) -> Any:
    return {"meta": event["meta"], "now_ms": time.time() * 1000, "variable": os.environ.get("VARIABLE")}


def count(event: Event, connection: socket.socket) -> Any:
    _calls.append(1)
    return {"pid": os.getpid(), "calls": len(_calls)}


def meet(event: Event, connection: socket.socket) -> Any:
    """Wait until the file named in the event exists, having said so by making another."""
    with open(event["event"]["arrived"], "w"):
        pass
    while not os.path.exists(event["event"]["wait_for"]):
        time.sleep(0.002)
    return os.getpid()


def raises(event: Event, connection: socket.socket) -> Any:
    raise ValueError("no such luck")


def sleeps(event: Event, connection: socket.socket) -> Any:
    print("going to sleep", flush=True)
    time.sleep(3600)


def leaves(event: Event, connection: socket.socket) -> Any:
    print("leaving", flush=True)
    os._exit(event["event"]["status"])


def exits(event: Event, connection: socket.socket) -> Any:
    sys.exit(4)


def crashes(event: Event, connection: socket.socket) -> Any:
    os.kill(os.getpid(), signal.SIGSEGV)


def prints(event: Event, connection: socket.socket) -> Any:
    for number in range(event["event"]["lines"]):
        sys.stdout.write(f"line {number}\n")
    sys.stdout.write("an unfinished line")
    sys.stdout.flush()


def prints_bytes(event: Event, connection: socket.socket) -> Any:
    os.write(1, b"caf\xe9\nna\xc3\xafve\r\n")


def prints_for_ever(event: Event, connection: socket.socket) -> Any:
    """Answer, while a thread goes on printing."""

    def shout() -> None:
        while True:
            os.write(1, b"again and again\n" * 100)

    threading.Thread(target=shout, daemon=True).start()


def prints_later(event: Event, connection: socket.socket) -> Any:
    def murmur() -> None:
        os.write(1, b"between calls\n")

    threading.Timer(0.05, murmur).start()


def garbage(event: Event, connection: socket.socket) -> Any:
    connection.sendall(b"\xff" * 64)
    time.sleep(3600)


def answers_twice(event: Event, connection: socket.socket) -> Any:
    connection.sendall(struct.pack("!HHIII", 18, 0, 1, 0, 1) + b"1" + struct.pack("!HHIII", 18, 0, 1, 0, 1) + b"2")
    time.sleep(3600)


def hangs_up(event: Event, connection: socket.socket) -> Any:
    connection.shutdown(socket.SHUT_RDWR)
    time.sleep(3600)


def answers_and_leaves(event: Event, connection: socket.socket) -> Any:
    print("last words", flush=True)
    connection.sendall(struct.pack("!HHIII", 18, 0, 1, 0, 1) + b"7")
    os._exit(0)


def sleeps_when_told(event: Event, connection: socket.socket) -> Any:
    if event["event"]:
        time.sleep(3600)
    return "awake"
