"""All nests of an agent (see `nest`), by id: made, opened, asked for instances, and given back.

A nest outlives its shared template, because the rooms of running instances are the keeper's children: it goes when it
was dropped, or its template was lost, and its last instance ended. Nothing that a shared template says is believed: it
sends one byte for a fork, and from whom it comes the kernel tells.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from mayfly.sandbox.agent import cgroups, channel, instances, kernel, templates
from mayfly.sandbox.agent.lodger import close_all, doors
from mayfly.sandbox.agent.lodging import Lodging
from mayfly.sandbox.agent.watch import Watch

# A shared template, or a keeper, that has work and does not get anything of it done for so long is given up.
PATIENCE_S = 5.0
# What a shared template may use beyond the memory of its function: page tables of forks, and huge pages in the making.
_HEADROOM_MB = 64


class _Nest:
    """One nest: its processes, and who lives in it."""

    def __init__(self, message: dict[str, Any], uids: tuple[int, int], group: cgroups.Group) -> None:
        self.id: str = message["nest"]
        self.message = message
        self.uid, self.keeper_uid = uids
        self.group = group  # of the shared template
        self.keeper: socket.socket | None = None
        self.forks: socket.socket | None = None
        self.report = -1  # the shared template's socket to the server, until it has it
        self.endpoint: list[int] = []
        self.keeper_pid = self.template_pid = 0
        self.pidfds: list[int] = []
        self.lodging: Lodging | None = None
        self.began_at = time.monotonic()
        self.kept = False  # the keeper is ready; its process id may still be on its way
        self.announced = False
        self.lost = False


class Nests:
    """What `main` uses. Ids of nests are the server's, and differ from all ids of instances."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        groups: cgroups.Groups,
        uids: instances.Instances,
        clone: Callable[[str, dict[str, Any], list[int]], None],
        report: instances.Report,
    ) -> None:
        """`clone` has the interpreter template of a runtime make a process; `report` tells the server."""
        self._watch = Watch(selector)
        self._groups = groups
        self._uids = uids
        self._clone = clone
        self._report = report
        self._all: dict[str, _Nest] = {}
        self._names: dict[str, _Nest] = {}  # of instances

    # What the server asks for.

    def nest(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Make a nest; `descriptors` has the shared template's end of a socket to the server."""
        given: list[int] = []
        uids: list[int] = []
        group = None
        try:
            for path in (message["code"], *message["layers"]):
                given.append(kernel.open_tree(path))  # noqa: PERF401 (a failure must not lose the ones before it)
            uids = [self._uids.lend_uid(), self._uids.lend_uid()]
            group = self._groups.create()
            memory_bytes = message["memory_mb"] + _HEADROOM_MB << 20
            group.limit(cgroups.Limits(memory_bytes, message["cpus"], message["processes"]))
            nest = _Nest(message, (uids[0], uids[1]), group)
            nest.keeper, theirs = _pair()
            request = {"op": channel.NEST, "id": nest.id, "keeper_uid": nest.keeper_uid}
            request["ephemeral_mb"] = message["ephemeral_mb"]
            self._clone(message["runtime"], request, [theirs.detach(), *given])
        except (OSError, instances.NoRoomError, templates.NotPreparedError) as error:
            close_all([*given, *descriptors])
            for uid in uids:
                self._uids.return_uid(uid)
            if group is not None:
                self._groups.discard(group)
            self._report({"op": channel.FAILED, "nest": message["nest"], "error": str(error)}, [])
            return
        nest.report = descriptors[0]
        self._all[nest.id] = nest
        self._watch.add(nest.keeper.fileno(), lambda: self._from_keeper(nest))

    def open(self, name: str) -> None:
        """The shared template is ready for forks."""
        nest = self._all.get(name)
        if nest is None or nest.lost or nest.keeper is None or nest.forks is None or nest.lodging is not None:
            return
        nest.lodging = Lodging(
            nest.message,
            (nest.keeper, nest.forks),
            self._watch,
            self._groups,
            self._report,
            nest.template_pid,
            self.pids,
            self._forget,
            lambda: self._end_if_empty(nest),
        )
        nest.lodging.open()

    def drop(self, name: str) -> None:
        """Fork nothing any more; what runs goes on."""
        nest = self._all.get(name)
        if nest is not None:
            self._lose(nest, "it was dropped")

    def start(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Start an instance from a nest, as `channel.START` asks."""
        nest = self._all.get(message["nest"])
        if nest is None or nest.lost or nest.lodging is None:
            close_all(descriptors)
            error = {"op": channel.FAILED, "id": message["id"], "template": True}
            self._report({**error, "error": "the shared template is gone"}, [])
            return
        self._names[message["id"]] = nest
        nest.lodging.start(message, descriptors)

    def limit_cpus(self, name: str, cpus: float) -> None:
        """Change how many processors an instance may use; unknown names are somebody else's."""
        nest = self._names.get(name)
        if nest is not None and nest.lodging is not None:
            nest.lodging.limit_cpus(name, cpus)

    def kill(self, name: str) -> None:
        """End an instance; unknown names are somebody else's."""
        nest = self._names.get(name)
        if nest is not None and nest.lodging is not None:
            nest.lodging.kill(name)

    # What the interpreter template tells.

    def room(self, name: str) -> int | None:
        """See `Lodging.room`; None: no nest has it."""
        nest = self._names.get(name)
        return nest.lodging.room(name) if nest is not None and nest.lodging is not None else None

    def cloned(self, name: str, pid: int) -> bool:
        """A keeper or a shared template exists; False when `name` is not of a nest."""
        nest = self._all.get(name)
        if nest is None:
            return False
        pidfd = os.pidfd_open(pid)
        nest.pidfds.append(pidfd)
        if not nest.keeper_pid:
            nest.keeper_pid = pid
            self._watch.add(pidfd, lambda: self._keeper_died(nest))
            self._hatch(nest)
        else:
            nest.template_pid = pid
            self._watch.add(pidfd, lambda: self._template_died(nest))
            nest.announced = True
            nest.endpoint.append(nest.group.open_use())
            self._report({"op": channel.NESTED, "nest": nest.id}, nest.endpoint)
            close_all(nest.endpoint)
        if nest.lost:
            self._end_if_empty(nest)
        return True

    def abandoned(self, name: str, error: str) -> bool:
        """A process of a nest could not be made; False when `name` is not of a nest."""
        nest = self._all.get(name)
        if nest is None:
            return False
        self._lose(nest, error)
        if not nest.keeper_pid:
            self._release(nest)
        return True

    # What the nest's own processes tell.

    def _from_keeper(self, nest: _Nest) -> None:
        assert nest.keeper is not None
        try:
            data, descriptors, sender = channel.receive_from(nest.keeper)
        except (BlockingIOError, ConnectionError):
            return
        if not data:
            self._watch.remove(nest.keeper.fileno())
            self._lose(nest, "the keeper ended")
            return
        message = json.loads(data)  # the keeper and its rooms run no code of the user
        operation = message["op"]
        if operation == channel.NESTLING:
            nest.endpoint = descriptors
            self._map_uids(nest, sender)
        elif operation == channel.KEPT:
            nest.kept = True
            self._hatch(nest)
        elif operation == channel.ROOM and nest.lodging is not None:
            nest.lodging.room_made(message["room"], sender, descriptors)
        elif operation == channel.FAILED and "room" in message and nest.lodging is not None:
            nest.lodging.room_failed(message["room"], message["error"])
        else:
            close_all(descriptors)
            self._lose(nest, message.get("error", operation))

    def _map_uids(self, nest: _Nest, keeper: int) -> None:
        """Give the nest's user namespace the two user ids that exist in it; both are unprivileged outside."""
        assert nest.keeper is not None
        lines = "".join(f"{uid} {uid} 1\n" for uid in (nest.uid, nest.keeper_uid))
        try:
            for name in ("gid_map", "uid_map"):
                with open(f"/proc/{keeper}/{name}", "w") as file:
                    file.write(lines)
            channel.send(nest.keeper, {"op": channel.NESTLING})
        except OSError as error:
            self._lose(nest, f"no user namespace: {error}")

    def _hatch(self, nest: _Nest) -> None:
        """Have the shared template made; it works for the server until `open`."""
        if nest.lost or not (nest.kept and nest.keeper_pid):
            return
        nest.forks, theirs = _pair()
        self._watch.add(nest.forks.fileno(), lambda: self._from_newborn(nest))
        descriptors = [os.dup(nest.pidfds[0]), theirs.detach(), nest.report]
        nest.report = -1
        names = ("open_files", "label")
        request = {**{name: nest.message[name] for name in names}, "op": channel.HATCH, "id": nest.id, "uid": nest.uid}
        try:
            descriptors += doors(nest.group)
            self._clone(nest.message["runtime"], request, descriptors)
        except (OSError, templates.NotPreparedError) as error:
            close_all(descriptors)
            self._lose(nest, str(error))

    def _from_newborn(self, nest: _Nest) -> None:
        """The first thing that a shared template sends, before it runs any code of the user: its filter's listener,
        unless the kernel has none. Nothing is read from it after that."""
        assert nest.forks is not None
        self._watch.remove(nest.forks.fileno())
        with contextlib.suppress(OSError):
            _, descriptors, _ = channel.receive_from(nest.forks)
            if descriptors:
                self._report({"op": channel.HEARD, "nest": nest.id}, descriptors)
            close_all(descriptors)

    def _keeper_died(self, nest: _Nest) -> None:
        """And with it everything in the nest, which the kernel ends."""
        self._watch.remove(nest.pidfds[0])
        os.waitpid(nest.keeper_pid, 0)
        nest.keeper_pid = -1
        self._lose(nest, "the keeper died")
        self._end_if_empty(nest)

    def _template_died(self, nest: _Nest) -> None:
        self._watch.remove(nest.pidfds[1])
        os.waitpid(nest.template_pid, 0)
        nest.template_pid = -1
        self._lose(nest, "the shared template died")
        self._end_if_empty(nest)

    # The end.

    def _lose(self, nest: _Nest, why: str) -> None:
        """The nest makes no instance any more."""
        if nest.lost:
            return
        nest.lost = True
        operation = channel.DROPPED if nest.announced else channel.FAILED
        self._report({"op": operation, "nest": nest.id, "error": why}, [])
        self._kill(nest.template_pid)
        if nest.lodging is not None:
            nest.lodging.close(why)
        self._end_if_empty(nest)

    def _forget(self, name: str) -> None:
        """An instance is no more, or never will be."""
        self._names.pop(name, None)

    def _end_if_empty(self, nest: _Nest) -> None:
        if not nest.lost or nest.id not in self._all:
            return
        self._kill(nest.template_pid)
        if nest.lodging is not None and nest.lodging.count:
            return
        self._kill(nest.keeper_pid)
        if nest.keeper_pid == -1 and nest.template_pid in {0, -1}:
            self._release(nest)

    def _release(self, nest: _Nest) -> None:
        del self._all[nest.id]
        for end in (nest.keeper, nest.forks):
            if end is not None:
                self._watch.remove(end.fileno())
                end.close()
        close_all([*nest.pidfds, *nest.endpoint, *([nest.report] if nest.report >= 0 else [])])
        self._groups.discard(nest.group)
        for uid in (nest.uid, nest.keeper_uid):
            self._uids.return_uid(uid)

    @staticmethod
    def _kill(pid: int) -> None:
        if pid > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # For the agent's loop.

    @property
    def are_forking(self) -> bool:
        """Whether there may be children of the agent whose process ids are still on their way."""
        return any(lodging.is_forking for lodging in self._lodgings())

    def pids(self) -> set[int]:
        """The agent's children that nests know."""
        known = {pid for nest in self._all.values() for pid in (nest.keeper_pid, nest.template_pid) if pid > 0}
        return known.union(*(lodging.pids for lodging in self._lodgings()))

    def retry_s(self) -> float | None:
        """How long the agent may sleep before `expire`; None: for ever."""
        times = [0.5 if lodging.is_busy else lodging.retry_s() for lodging in self._lodgings()]
        return min((time_s for time_s in times if time_s is not None), default=None)

    def expire(self) -> None:
        """Give up on those who get nothing done, and do what was put off."""
        late = time.monotonic() - PATIENCE_S
        for nest in list(self._all.values()):
            lodging = nest.lodging
            if lodging is not None:
                lodging.retry()
            if lodging is not None and lodging.is_busy and lodging.progress_at < late:
                self._lose(nest, f"nothing was forked in {PATIENCE_S:g} s")

    def end(self) -> None:
        """Kill and bury all.

        A keeper is not dead before every process of its nest is buried, forks included whose numbers never came here.
        """
        left = self.pids()
        for nest in self._all.values():
            if nest.lodging is not None:
                nest.lodging.kill_all()
            self._kill(nest.template_pid)
            self._kill(nest.keeper_pid)
        with contextlib.suppress(ChildProcessError):
            while left:
                left.discard(os.waitpid(-1, 0)[0])

    def _lodgings(self) -> Iterator[Lodging]:
        return (nest.lodging for nest in self._all.values() if nest.lodging is not None)


def _pair() -> tuple[socket.socket, socket.socket]:
    """The agent's end, which learns who sends, and the other one."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    mine.setblocking(False)
    return mine, theirs
