"""A template: an interpreter with the standard library and boto3 loaded, from which instances are cloned.

Started by the agent, one a runtime. No user code ever runs in it, so it stays root. It lives in the file system that
its instances see, so every module in it has the path that it has for a function.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

from mayfly.sandbox.agent import channel, isolate, kernel, root
from mayfly.sandbox.python import bootstrap, preload

_LAST_CAPABILITY = 63


def main(descriptor: int) -> NoReturn:
    """Serve the agent at the other end of `descriptor` until it goes away."""
    to_agent = socket.socket(fileno=descriptor)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    received = channel.receive(to_agent)
    if received is None:
        sys.exit(0)
    message, (filter_descriptor,) = received
    try:
        calls = _prepare(message, filter_descriptor)
    except Exception as error:  # the boundary of a process: the agent is told, whatever it was
        traceback.print_exc()
        channel.send(to_agent, {"op": channel.FAILED, "error": f"{type(error).__name__}: {error}"})
        sys.exit(1)
    channel.send(to_agent, {"op": channel.PREPARED, "missing": preload.missing()})
    while True:
        received = channel.receive(to_agent)
        if received is None:
            sys.exit(0)
        _start(received[0], received[1], to_agent, calls)


def _prepare(message: dict[str, Any], filter_descriptor: int) -> kernel.SystemCallFilter:
    with open(filter_descriptor, "rb", closefd=True) as file:
        file.seek(0)
        calls = kernel.SystemCallFilter(file.read())
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("300")  # when the whole machine runs out of memory, functions go before the server does
    kernel.unshare(kernel.CLONE_NEWNS)
    plan = root.RootPlan(
        message["stage"], message["prefix"], tuple(message["packages"]), message["first_uid"], message["uids"]
    )
    root.enter(plan)
    kernel.new_session_keyring()
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)
        except OSError:
            break  # the kernel has no more
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    # The agent ignores the terminal's signals; a function must not inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()
    preload.load_all("/var/runtime")
    bootstrap.forget_modules()
    bootstrap.open_output()
    gc.collect()
    gc.freeze()
    return calls


def _start(
    message: dict[str, Any], descriptors: list[int], to_agent: socket.socket, calls: kernel.SystemCallFilter
) -> None:
    """Clone one instance; the agent, its parent, hears of it from here, and that it is ready from the clone itself."""
    try:
        pid = kernel.clone(isolate.NAMESPACES | kernel.CLONE_PARENT)
    except OSError as error:
        channel.send(to_agent, {"op": channel.FAILED, "id": message["id"], "error": str(error)})
        pid = -1
    if pid == 0:
        _become_instance(message, descriptors, to_agent, calls)
    for descriptor in descriptors:
        os.close(descriptor)
    if pid > 0:
        channel.send(to_agent, {"op": channel.CLONED, "id": message["id"], "pid": pid})


def _become_instance(
    message: dict[str, Any], descriptors: list[int], to_agent: socket.socket, calls: kernel.SystemCallFilter
) -> NoReturn:
    entrances, layers = message["entrances"], message["layers"]
    control, output, *rest = descriptors
    given = isolate.Descriptors(
        control, output, rest[:entrances], rest[entrances], rest[entrances + 1 : entrances + 1 + layers]
    )
    plan = isolate.Plan(message["id"], message["uid"], message["ephemeral_mb"], message["open_files"], message["label"])
    try:
        isolate.isolate(plan, given, to_agent, calls)
    except OSError as error:
        channel.send(to_agent, {"op": channel.FAILED, "id": plan.id, "error": str(error)})
        os._exit(1)
    gc.enable()
    bootstrap.serve(socket.socket(fileno=isolate.CONTROL))
