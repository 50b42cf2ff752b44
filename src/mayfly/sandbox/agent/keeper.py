"""The keeper of a nest: makes rooms, which are the namespaces of one instance each, until the agent goes away.

It runs no code of the user. It is a program of its own, small so that its forks are cheap in time and memory: `nest`
prepares the process and executes it with the code of `MODULES`, because Mayfly's files cannot be seen in a nest.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
from typing import Any, NoReturn

from mayfly.sandbox.agent import channel, isolate, kernel, powers

# What it consists of, in the order of its imports.
MODULES = tuple(
    f"mayfly.sandbox.agent.{name}" for name in ("channel", "kernel", "masks", "powers", "root", "isolate", "keeper")
)
# Run with the code of the modules, by name, in descriptor 4; the packages around them are made up. All keepers have the
# same open file, so none may read at its offset.
PROGRAM = """
import marshal, os, sys, types
for name in ("mayfly", "mayfly.sandbox", "mayfly.sandbox.agent"):
    sys.modules[name] = package = types.ModuleType(name)
    package.__path__ = []
packed = os.pread(4, os.fstat(4).st_size, 0)
os.close(4)
for name, code in marshal.loads(packed):
    sys.modules[name] = module = types.ModuleType(name)
    setattr(package, name.rpartition(".")[2], module)
    exec(code, module.__dict__)
module.main()
"""
# What it needs to make namespaces, mount, and bring the loopback interface up, all inside its user namespace; the last
# one is for taking it all away from rooms.
CAPABILITIES = (powers.CAP_SYS_ADMIN, powers.CAP_NET_ADMIN, powers.CAP_SETPCAP)
# The namespaces of a room: their names below /proc/self/ns, and kinds. The first is entered by being born in it.
ROOM = (
    ("pid", kernel.CLONE_NEWPID),
    ("net", kernel.CLONE_NEWNET),
    ("ipc", kernel.CLONE_NEWIPC),
    ("uts", kernel.CLONE_NEWUTS),
    ("cgroup", 0x02000000),
    ("mnt", kernel.CLONE_NEWNS),
)
_SLEEP = ("/usr/bin/sleep", "/bin/sleep")


def main() -> None:
    """Serve the agent at descriptor 3."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    kernel.prctl_name("keeper")
    powers.forget_inheritance()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # rooms that ended are buried by the kernel
    os.set_inheritable(isolate.CONTROL, False)
    to_agent = socket.socket(fileno=isolate.CONTROL)
    gc.disable()
    gc.freeze()
    while (received := channel.receive(to_agent)) is not None:
        _make_room(to_agent, *received)


def _make_room(to_agent: socket.socket, message: dict[str, Any], entrances: list[int]) -> None:
    try:
        if kernel.clone(isolate.NAMESPACES) == 0:
            _be_room(to_agent, message, entrances)
    except OSError as error:
        channel.send(to_agent, {"op": channel.FAILED, "room": message["room"], "error": str(error)})
    for entrance in entrances:
        os.close(entrance)


def _be_room(to_agent: socket.socket, message: dict[str, Any], entrances: list[int]) -> NoReturn:
    """Make what an instance needs, hand it to the agent, and be there from then on.

    All that is left to do is nothing: the kernel buries the orphans of an instance as long as this process ignores that
    they died. A program that only sleeps does that in a tenth of the memory.
    """
    try:
        try:
            endpoint = isolate.prepare(entrances)
            isolate.mount_own(message["ephemeral_mb"])
            made = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name, _ in ROOM]
            channel.send(to_agent, {"op": channel.ROOM, "room": message["room"]}, [endpoint.fileno(), *made])
        except OSError as error:
            channel.send(to_agent, {"op": channel.FAILED, "room": message["room"], "error": str(error)})
            os._exit(1)
        endpoint.detach()
        to_agent.detach()
        powers.empty_bounding_set()
        powers.keep_capabilities()
        kernel.prctl_name("init")
        kernel.close_from(isolate.CONTROL)
        for program in _SLEEP:
            with contextlib.suppress(OSError):
                os.execv(program, ["init", "infinity"])
        while True:
            signal.pause()
    finally:
        os._exit(1)
