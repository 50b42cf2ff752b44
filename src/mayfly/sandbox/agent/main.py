"""The agent: a small, single-threaded, privileged process that makes, watches and ends sandboxes for one server.

It holds no user data and parses nothing that a user wrote: it gets names, numbers, paths and descriptors from the
server, and everything that belongs to a function goes past it. It lives as long as the server's end of the socket is
open; then it ends every sandbox and template, removes every control group, and exits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from mayfly.sandbox.agent import cgroups, channel, hierarchy, instances, nests, seccomp, serving, standing, templates
from mayfly.sandbox.agent.lodger import close_all

_LOCK_WAIT_S = 15


def main(descriptor: int, directory: str) -> NoReturn:
    """Serve the server at the other end of `descriptor`; `directory` is the agent's own, for one agent at a time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = socket.socket(fileno=descriptor)
    try:
        agent = Agent(server, directory)
    except (OSError, hierarchy.NoControllersError, seccomp.NoFilterError, standing.NotAllowedError) as error:
        with contextlib.suppress(OSError):
            channel.send(server, {"op": channel.FAILED, "error": str(error)})
        sys.exit(1)
    agent.run()
    sys.exit(0)


class Agent(serving.Serving):
    """The loop, and what it holds."""

    def __init__(self, server: socket.socket, directory: str) -> None:
        super().__init__(server)
        self._lock = only_one(directory)
        stage = os.path.join(directory, "stage")
        os.makedirs(stage, mode=0o700, exist_ok=True)
        alone = standing.become_root()
        uids = instances.Uids.of(cgroups.digest_of(directory))
        self._groups = standing.open_groups(alone, directory)
        self._standing = standing.Standing(
            alone,
            standing.own_user_namespaces(alone, uids.first),
            self._groups.layout.version,
            self._groups.freezes,
            self._groups.limits_disks,
        )
        if alone and not self._standing.user_namespaces:
            raise standing.NotAllowedError("user namespaces cannot be nested here, so instances cannot be kept apart")
        filters = [os.memfd_create("filter", os.MFD_CLOEXEC) for _ in range(3)]
        seccomp.compile_filter(filters[0])
        seccomp.compile_filter(filters[1], allowed=seccomp.FOR_TEMPLATES)
        seccomp.compile_denial(filters[2])
        self._instances = instances.Instances(self._selector, self._groups, uids, self._report, self._catch_up)
        self._templates = templates.Templates(
            self._selector, filters, stage, self._groups, uids, self._standing, self._from_template, self._abandoned
        )
        self._nests = nests.Nests(self._selector, self._groups, self._instances, self._templates.nest, self._report)
        self._dead_children = False

    def run(self) -> None:
        """Until the server goes away or SIGTERM comes; then clean up."""
        self.serve({"cgroup": self._groups.layout.version, "layers": list(self._standing.layers())})

    def _reacted(self) -> None:
        self._groups.retry()
        self._nests.expire()
        if self._dead_children and not self._templates.are_cloning and not self._nests.are_forking:
            known = {*self._templates.pids(), *self._instances.pids(), *self._nests.pids()}
            self._dead_children = not _bury_strangers(known)

    def _clean_up(self) -> None:
        self._nests.end()
        self._templates.end()
        self._instances.end()
        self._groups.remove()

    def _sleep_s(self) -> float | None:
        times = [time_s for time_s in (self._groups.retry_s(), self._nests.retry_s()) if time_s is not None]
        return min(times, default=None)

    def _children_died(self) -> None:
        self._dead_children = True

    def _asked(self, message: dict[str, Any], descriptors: list[int]) -> None:
        operation = message["op"]
        if operation == channel.PREPARE:
            self._templates.prepare(message)
        elif operation == channel.KILL:
            self._instances.kill(message["id"])
            self._nests.kill(message["id"])
        elif operation == channel.LIMIT:
            self._instances.limit_cpus(message["id"], message["cpus"])
            self._nests.limit_cpus(message["id"], message["cpus"])
        elif operation == channel.FIT:
            self._instances.fit(message)
        elif operation == channel.DIAL:
            self._instances.dial(message["id"], message["count"], self._nests.room(message["id"]))
        elif operation == channel.LISTEN:
            self._instances.listen(message["id"], message["at"], self._nests.room(message["id"]))
        elif operation == channel.START and "nest" in message:
            self._nests.start(message, descriptors)
        elif operation == channel.START:
            self._start(message, descriptors)
        elif operation == channel.NEST and self._standing.alone:
            close_all(descriptors)
            error = "a template needs user ids of its own: start Mayfly as root"
            self._report({"op": channel.FAILED, "nest": message["nest"], "error": error}, [])
        elif operation == channel.NEST:
            self._nests.nest(message, descriptors)
        elif operation == channel.OPEN:
            self._nests.open(message["nest"])
        elif operation == channel.DROP:
            self._nests.drop(message["nest"])

    def _start(self, message: dict[str, Any], descriptors: list[int]) -> None:
        try:
            group = self._templates.next_group(message["runtime"])
            request, given = self._instances.admit(message, group)
        except (OSError, instances.NoRoomError, templates.NotPreparedError) as error:
            for descriptor in descriptors:
                os.close(descriptor)
            self._report({"op": channel.FAILED, "id": message["id"], "error": str(error)}, [])
            return
        self._templates.start(message["runtime"], request, [*descriptors, *given])

    def _catch_up(self) -> None:
        self._templates.catch_up()

    def _from_template(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """What a template, or a clone on its way in, has to say."""
        operation = message["op"]
        if operation == channel.CLONED:
            if not self._nests.cloned(message["id"], message["pid"]):
                self._instances.cloned(message["id"], message["pid"])
        elif operation == channel.LISTENING:
            self._instances.listening(message["id"], descriptors, message["heard"])
        elif operation == channel.NOT_CLONED:
            self._abandoned(message["id"], message["error"])
        elif operation == channel.FAILED and "id" in message:
            self._instances.failed(message["id"], message["error"])
        else:
            self._report(message, [])

    def _abandoned(self, name: str, error: str) -> None:
        """What a template was asked to clone will never be."""
        if not self._nests.abandoned(name, error):
            self._instances.abandoned(name, error)


def _bury_strangers(known: set[int]) -> bool:
    """Bury dead children that nobody here knows: the spare clones of a template that died. False when one of the
    known is dead too, and in the way."""
    with contextlib.suppress(ChildProcessError):
        while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if dead.si_pid in known:
                return False
            os.waitpid(dead.si_pid, 0)
    return True


def only_one(directory: str) -> int:
    """Hold the directory's lock; wait for an earlier agent that is still cleaning up."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def give_up(*_: object) -> NoReturn:
        raise TimeoutError(f"another agent holds {directory}, and does not let go of it")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_LOCK_WAIT_S)
    fcntl.flock(lock, fcntl.LOCK_EX)
    signal.alarm(0)
    return lock
