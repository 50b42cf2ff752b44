"""The templates an agent has, one a runtime: started on demand, started again should one die."""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Callable
from typing import Any

from mayfly.sandbox.agent import cgroups, channel, standing
from mayfly.sandbox.agent.instances import Uids

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from mayfly.sandbox.agent import forks; hooks = forks.Hooks(); hooks.gather(); "
    "from mayfly.sandbox.agent import template; sys.path.pop(0); template.main(3, hooks)"
)


class _Template:
    """One template process and what is on its way to it."""

    def __init__(self, runtime: str, pid: int, to: socket.socket, group: cgroups.Group) -> None:
        self.runtime = runtime
        self.group: cgroups.Group | None = group  # for the next instance, with its spare; None: none could be made
        self.pid = pid
        self.channel = to
        self.prepared = False
        self.cloning: set[str] = set()  # ids of requests whose clone was not heard of yet
        self.outbox: collections.deque[tuple[dict[str, Any], list[int]]] = collections.deque()


class NotPreparedError(Exception):
    """A runtime was asked for that `prepare` was not told of."""


class Templates:
    """All templates, by runtime.

    A template has the group of its next instance before that instance is asked for, so that a spare can be born in it.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        calls: list[int],
        stage: str,
        groups: cgroups.Groups,
        uids: Uids,
        stands: standing.Standing,
        heard: Callable[[dict[str, Any], list[int]], None],
        lost: Callable[[str, str], None],
    ) -> None:
        """`calls` are descriptors of the seccomp filters: of functions, of shared templates, and of the forks of
        those; `heard` gets what templates and clones say, with the descriptors, which it then owns; `lost` gets the id
        of an instance that will never be, and why."""
        self._selector = selector
        self._filters = calls
        self._stage = stage
        self._groups = groups
        self._uids = uids
        self._standing = stands
        self._heard = heard
        self._lost = lost
        self._how: dict[str, dict[str, Any]] = {}
        self._all: dict[str, _Template] = {}

    def prepare(self, message: dict[str, Any]) -> None:
        """Start the template of a runtime, unless it is there."""
        runtime = message["runtime"]
        self._how[runtime] = message
        template = self._all.get(runtime)
        if template is None:
            try:
                self._launch(runtime)
            except OSError as error:
                self._heard({"op": channel.FAILED, "runtime": runtime, "error": str(error)}, [])
        elif template.prepared:
            self._heard({"op": channel.PREPARED, "runtime": runtime, "missing": []}, [])

    def next_group(self, runtime: str) -> cgroups.Group:
        """The group that the next instance of a runtime will be in. OSError, `NotPreparedError`."""
        if runtime not in self._how:
            raise NotPreparedError(f"the runtime {runtime} was not prepared")
        template = self._all.get(runtime) or self._launch(runtime)
        if template.group is None:
            return self._offer_group(template)
        return template.group

    def start(self, runtime: str, request: dict[str, Any], descriptors: list[int]) -> None:
        """Have an instance cloned into `next_group`, which is the instance's from here on; the descriptors are this
        object's."""
        template = self._all[runtime]
        template.cloning.add(request["id"])
        self._send(template, {"op": channel.START, **request}, descriptors)
        template.group = None
        with contextlib.suppress(OSError):  # the next request will tell why
            self._offer_group(template)

    def nest(self, runtime: str, request: dict[str, Any], descriptors: list[int]) -> None:
        """Have a keeper or a shared template cloned; the descriptors are this object's. OSError, `NotPreparedError`."""
        if runtime not in self._how:
            raise NotPreparedError(f"the runtime {runtime} was not prepared")
        template = self._all.get(runtime) or self._launch(runtime)
        template.cloning.add(request["id"])
        self._send(template, request, descriptors)

    def _offer_group(self, template: _Template) -> cgroups.Group:
        group, entrances = self._make_group()
        template.group = group
        self._send(template, {"op": channel.GROUP}, entrances)
        return group

    def _make_group(self) -> tuple[cgroups.Group, list[int]]:
        group = self._groups.create()
        try:
            return group, group.entrances()
        except OSError:
            self._groups.discard(group)
            raise

    @property
    def are_cloning(self) -> bool:
        """Whether there may be instances whose process ids are still on their way."""
        return any(template.cloning for template in self._all.values())

    def pids(self) -> list[int]:
        return [template.pid for template in self._all.values()]

    def end(self) -> None:
        """Kill and bury all."""
        for template in self._all.values():
            with contextlib.suppress(ProcessLookupError, ChildProcessError):  # nests may have buried it
                os.kill(template.pid, signal.SIGKILL)
                os.waitpid(template.pid, 0)
            template.channel.close()
        self._all.clear()

    def _launch(self, runtime: str) -> _Template:
        how = self._how[runtime]
        group, entrances = self._make_group()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            arguments = [how["python"], "-I", "-S", "-X", "utf8", "-c", _PROGRAM, how["source"]]
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
            ]
            environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
            try:
                pid = os.posix_spawn(how["python"], arguments, environment, file_actions=actions)
                self._groups.adopt(pid)
            except OSError:
                mine.close()  # and if there is a process, it ends
                _close(entrances)
                self._groups.discard(group)
                raise
        mine.setblocking(False)
        template = self._all[runtime] = _Template(runtime, pid, mine, group)
        self._selector.register(mine, selectors.EVENT_READ, lambda: self._react(template))
        plan = {
            **{key: how[key] for key in ("prefix", "packages", "resident", "node", "shown")},
            "stage": self._stage,
            "first_uid": self._uids.first,
            "uids": self._uids.size,
            "alone": self._standing.alone,
            "user_namespaces": self._standing.user_namespaces,
            "grouped": self._standing.groups > 0,
        }
        self._send(template, plan, [*map(os.dup, self._filters), *entrances])
        return template

    def _send(self, template: _Template, message: dict[str, Any], descriptors: list[int]) -> None:
        template.outbox.append((message, descriptors))
        self._flush(template)

    def _flush(self, template: _Template) -> None:
        """Send what the socket takes; the kernel queues only a few messages."""
        wanted = selectors.EVENT_READ
        while template.outbox:
            message, descriptors = template.outbox[0]
            try:
                channel.send(template.channel, message, descriptors)
            except BlockingIOError:
                wanted |= selectors.EVENT_WRITE
                break
            except ConnectionError:
                break  # it died; reading will tell
            template.outbox.popleft()
            _close(descriptors)
        if self._selector.get_key(template.channel).events != wanted:
            self._selector.modify(template.channel, wanted, lambda: self._react(template))

    def catch_up(self) -> None:
        """Hear everything that has been said until now."""
        for template in list(self._all.values()):
            while self._hear(template):
                pass

    def _react(self, template: _Template) -> None:
        if template.outbox:
            self._flush(template)
        self._hear(template)

    def _hear(self, template: _Template) -> bool:
        """One message; False when there is none."""
        try:
            received = channel.receive(template.channel)
        except BlockingIOError:
            return False
        except ConnectionError:
            received = None
        if received is None:
            self._died(template)
            return False
        message, descriptors = received
        operation = message["op"]
        if operation in {channel.CLONED, channel.NOT_CLONED}:
            template.cloning.discard(message["id"])
        if operation == channel.PREPARED:
            template.prepared = True
        if "id" not in message:
            message["runtime"] = template.runtime
        self._heard(message, descriptors)
        return True

    def _died(self, template: _Template) -> None:
        """Give up what it had to do. The next request starts it anew."""
        self._selector.unregister(template.channel)
        template.channel.close()
        del self._all[template.runtime]
        with contextlib.suppress(ProcessLookupError):
            os.kill(template.pid, signal.SIGKILL)
        os.waitpid(template.pid, 0)
        for _, descriptors in template.outbox:
            _close(descriptors)
        if template.group is not None:
            self._groups.discard(template.group)
        for name in template.cloning:
            self._lost(name, f"the template of {template.runtime} died")
        if not template.prepared:
            message = {"op": channel.FAILED, "runtime": template.runtime, "error": "the template died at its start"}
            self._heard(message, [])


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
