"""The supervisor: a privileged process that runs one OCI runtime for one server, beside the agent and built like it.

It is a process of its own because a runtime is one: to call it takes from a few milliseconds to hundreds of them, it
comes from elsewhere, and what it leaves behind needs a parent. Like the agent it has one thread and parses nothing that
a user wrote: it gets names, numbers, paths and descriptors, and writes them into a container's configuration.

It is the first process of a pid namespace, in a mount namespace with a /run of its own that holds all that runtimes
keep. So whoever kills it, with it go every runtime and every container, every mount and every file; what is left are
empty control groups, which the next supervisor of the same directory removes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

from mayfly.sandbox.agent import cgroups, channel, hierarchy, instances, kernel, seccomp, serving
from mayfly.sandbox.agent import main as agent
from mayfly.sandbox.oci import containers, roots, runtimes

PLACE = "/run"  # of which there is one everywhere, and which everybody may pass through
_SIZE = "mode=711,size=512m"


def main(descriptor: int, directory: str, described: str) -> NoReturn:
    """Serve the server at the other end of `descriptor`; `directory` is this supervisor's own, for one at a time;
    `described` are the fields of a `Runtime`, as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    level, program, options, family, privileged = json.loads(described)
    runtime = runtimes.Runtime(level, program, tuple(options), family, privileged)
    server = socket.socket(fileno=descriptor)
    try:
        kernel.unshare(kernel.CLONE_NEWPID)
        _descend(server)
        supervisor = Supervisor(server, directory, runtime)
    except (OSError, hierarchy.NoControllersError, seccomp.NoFilterError) as error:
        with contextlib.suppress(OSError):
            channel.send(server, {"op": channel.FAILED, "error": str(error)})
        sys.exit(1)
    supervisor.run()
    sys.exit(0)


def _descend(server: socket.socket) -> None:
    """Go on as the first process of the new pid namespace; what stays behind waits for it, and takes it along."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        server.close()
        os.close(reading)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    os.close(writing)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if select.select([reading], [], [], 0)[0]:
        os._exit(1)  # the other died before that
    os.close(reading)


class Supervisor(serving.Serving):
    """The loop, and what it holds."""

    def __init__(self, server: socket.socket, directory: str, runtime: runtimes.Runtime) -> None:
        super().__init__(server)
        self._lock = agent.only_one(directory)
        _own_mounts()
        layout = _out_of_sight(hierarchy.read_layout())
        self._groups = cgroups.Groups(layout, cgroups.group_name(directory))
        self._groups.open()
        self._groups.adopt(os.getpid())
        uids = instances.Uids.of(cgroups.digest_of(directory))
        for name in ("roots", "containers"):
            os.mkdir(f"{PLACE}/{name}", 0o711)
        self._containers = containers.Containers(
            self._selector, self._groups, uids, runtime, f"{PLACE}/containers", self._report
        )
        self._roots: dict[str, roots.Root] = {}

    def run(self) -> None:
        """Until the server goes away or SIGTERM comes; then clean up."""
        self.serve({"cgroup": self._groups.layout.version})

    def _sleep_s(self) -> float | None:
        return self._containers.retry_s()

    def _reacted(self) -> None:
        self._containers.retry()
        self._groups.retry()

    def _clean_up(self) -> None:
        self._groups.release(os.getpid())
        self._groups.remove()  # and all that is in them

    def _children_died(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                self._containers.reaped(*dead)

    def _asked(self, message: dict[str, Any], descriptors: list[int]) -> None:
        operation = message["op"]
        if operation == channel.PREPARE:
            self._prepare(message)
        elif operation == channel.START:
            self._start(message, descriptors)
        elif operation == channel.DIAL:
            self._containers.dial(message["id"], message["count"])
        elif operation == channel.LISTEN:
            self._containers.listen(message["id"], message["at"])
        elif operation == channel.LIMIT:
            self._containers.limit_cpus(message["id"], message["cpus"])
        elif operation == channel.KILL:
            self._containers.kill(message["id"])

    def _prepare(self, message: dict[str, Any]) -> None:
        runtime = message["runtime"]
        if runtime not in self._roots:
            place = f"{PLACE}/roots/{len(self._roots)}"
            try:
                os.mkdir(place, 0o711)
                self._roots[runtime] = roots.Root(place, message)
            except (OSError, ValueError) as error:
                self._report({"op": channel.FAILED, "runtime": runtime, "error": str(error)}, [])
                return
        self._report({"op": channel.PREPARED, "runtime": runtime, "missing": []}, [])

    def _start(self, message: dict[str, Any], descriptors: list[int]) -> None:
        base = self._roots.get(message["runtime"])
        try:
            if base is None:
                raise instances.NoRoomError(f"the runtime {message['runtime']} was not prepared")
            self._containers.start(message, descriptors, base)
        except (OSError, instances.NoRoomError) as error:
            self._report({"op": channel.FAILED, "id": message["id"], "error": str(error)}, [])


def _own_mounts() -> None:
    """A mount namespace whose /proc is of the pid namespace, and whose /run is empty."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", "/proc", "proc", flags)
    kernel.mount("mayfly", PLACE, "tmpfs", kernel.MS_NOSUID, _SIZE)


def _out_of_sight(layout: hierarchy.Layout) -> hierarchy.Layout:
    """On a machine with control groups of both versions, move the unified hierarchy to where runtimes do not look:
    crun refuses such machines."""
    if layout.version == 2:
        return layout
    moved = layout.freezing
    for number, where in enumerate(hierarchy.unified_mounts()):
        place = f"{PLACE}/unified-{number}"
        os.mkdir(place)
        kernel.mount(where, place, None, kernel.MS_BIND)
        kernel.unmount(where)
        moved = tuple(place + path.removeprefix(where) if path.startswith(where) else path for path in moved)
    return layout._replace(freezing=moved)
