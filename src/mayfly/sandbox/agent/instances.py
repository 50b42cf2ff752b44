"""The instances an agent has: from admission to the last trace of them being gone."""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mayfly.sandbox.agent import cgroups, channel, kernel, mounts, networks

Report = Callable[[dict[str, Any], list[int]], None]

# User ids from a range that no distribution hands out (above systemd's containers, below 2^31). Two servers on one
# machine use different blocks, unless the hashes of their directories agree.
_FIRST_UID = 0x70000000
_BLOCK = 4096
_BLOCKS = 0x10000000 // _BLOCK


class NoRoomError(Exception):
    """All user ids of this server are in use."""


class Uids(NamedTuple):
    """The user ids of one server's instances."""

    first: int
    size: int

    @classmethod
    def of(cls, digest: bytes) -> Uids:
        return cls(_FIRST_UID + int.from_bytes(digest[:8], "big") % _BLOCKS * _BLOCK, _BLOCK)


class _Instance:
    """One instance's resources; every attribute is given back when it ends."""

    def __init__(self, name: str, uid: int, group: cgroups.Group, limits: cgroups.Limits) -> None:
        self.name = name
        self.uid = uid
        self.limits = limits
        self.group = group
        self.peak = group.open_peak()
        self.memory_event = group.watch_memory()
        self.pid = 0
        self.pidfd = -1
        self.started = False
        self.failed = False
        self.killed = False
        self.out_of_memory = False
        self.endpoint: list[int] = []  # listening sockets, and after them the listener of its filter if `heard`
        self.heard = False
        self.vacant = False  # it waits for its function

    def close(self) -> None:
        for descriptor in (self.peak, self.memory_event, self.pidfd, *self.endpoint):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)


class Instances:
    """All instances, by id."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        groups: cgroups.Groups,
        uids: Uids,
        report: Report,
        catch_up: Callable[[], None],
    ) -> None:
        """`catch_up` has everything heard that templates and clones have said until now."""
        self._catch_up = catch_up
        self._selector = selector
        self._groups = groups
        self._free = collections.deque(range(uids.first, uids.first + uids.size))  # the one unused for longest first
        self._report = report
        self._networks = networks.Networks()
        self._mounts = mounts.Mounts()
        self._all: dict[str, _Instance] = {}

    def admit(self, message: dict[str, Any], group: cgroups.Group) -> tuple[dict[str, Any], list[int]]:
        """Make what an instance needs from outside: the request for its template, and descriptors for the caller to
        pass on and close. The group becomes the instance's, unless this fails. OSError, `NoRoomError`."""
        if not self._free:
            raise NoRoomError("no user id is free for another instance")
        name = message["id"]
        limits = cgroups.Limits(message["memory_mb"] << 20, message["cpus"], message["processes"])
        group.limit(limits)
        shown = [message["code"], *message["layers"]]
        given = _open_trees([] if message["vacant"] else [message["root"]] if message["root"] else shown)
        try:
            instance = _Instance(name, self._free[0], group, limits)
        except OSError:
            for descriptor in given:
                os.close(descriptor)
            raise
        instance.vacant = message["vacant"]
        self._free.popleft()
        self._all[name] = instance
        if instance.memory_event is not None:
            self._selector.register(instance.memory_event, selectors.EVENT_READ, lambda: self._out_of_memory(instance))
        request = {
            **{
                key: message[key]
                for key in ("id", "ephemeral_mb", "open_files", "label", "ahead", "program", "memory_mb", "early")
            },
            "uid": instance.uid,
            # Where no control group does it, each process is limited by itself.
            "data_mb": 0 if self._groups.layout.version else message["memory_mb"],
            "processes": message["processes"],
            "rooted": bool(message["root"]),
            "layers": len(message["layers"]),
        }
        return request, given

    def lend_uid(self) -> int:
        """A user id for something else than an instance, until `return_uid`; `NoRoomError`."""
        if not self._free:
            raise NoRoomError("no user id is free")
        return self._free.popleft()

    def return_uid(self, uid: int) -> None:
        self._free.append(uid)

    def cloned(self, name: str, pid: int) -> None:
        """The process exists; it is this process's child."""
        instance = self._all[name]
        instance.pid = pid
        instance.pidfd = os.pidfd_open(pid)
        if instance.peak < 0:
            instance.peak = os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        self._selector.register(instance.pidfd, selectors.EVENT_READ, lambda: self._ended(instance))
        if instance.killed or instance.failed or instance.out_of_memory:
            self._signal(instance)
        elif instance.endpoint:
            self._started(instance)

    def listening(self, name: str, descriptors: list[int], heard: bool) -> None:
        """The instance is isolated and waits for its first frame. `heard`: the last descriptor is its filter's."""
        instance = self._all.get(name)
        if instance is None:  # it was given up
            for descriptor in descriptors:
                os.close(descriptor)
            return
        instance.endpoint, instance.heard = descriptors, heard
        if instance.pid:
            self._started(instance)

    def _started(self, instance: _Instance) -> None:
        instance.started = True
        freezer = instance.group.open_freezer()
        message = {"op": channel.STARTED, "id": instance.name, "heard": instance.heard}
        self._report(message, [*instance.endpoint, instance.peak, *freezer])
        for descriptor in (*instance.endpoint, *freezer):
            os.close(descriptor)
        instance.endpoint = []

    def failed(self, name: str, error: str) -> None:
        """The instance could not be made. If there is a process, its end is the end of the matter."""
        instance = self._all.get(name)
        if instance is None or instance.started or instance.failed:
            return
        instance.failed = True
        self._report({"op": channel.FAILED, "id": name, "error": error}, [])
        if instance.pid:
            self._signal(instance)

    def abandoned(self, name: str, error: str) -> None:
        """No process was made, and none will be."""
        self.failed(name, error)
        instance = self._all.get(name)
        if instance is not None and not instance.pid:
            self._release(instance)

    def limit_cpus(self, name: str, cpus: float) -> None:
        """Change how many processors an instance may use; unknown names are somebody else's."""
        instance = self._all.get(name)
        if instance is not None and not instance.killed and not instance.out_of_memory:
            with contextlib.suppress(OSError):  # its group is being removed
                instance.group.limit_cpus(cpus)

    def fit(self, message: dict[str, Any]) -> None:
        """Give an instance that waits for its function what it is to run. Once: from then on it is hostile."""
        name = message["id"]
        instance = self._all.get(name)
        if instance is None or not instance.started or not instance.vacant:
            self._report({"op": channel.FITTED, "id": name, "error": "there is no such instance that waits"}, [])
            return
        instance.vacant = False
        given: list[int] = []
        try:
            instance.limits = instance.limits._replace(cpus=message["cpus"])
            instance.group.limit_cpus(message["cpus"])
            given = _open_trees([message["code"], *message["layers"]])
            self._mounts.show(instance.pidfd, given[0], given[1:], message["ephemeral_mb"])
        except OSError as error:
            self._report({"op": channel.FITTED, "id": name, "error": str(error)}, [])
            return
        finally:
            for descriptor in given:
                os.close(descriptor)
        self._report({"op": channel.FITTED, "id": name}, [])

    def dial(self, name: str, count: int, room: int | None) -> None:
        """Make sockets in the network of an instance, for the server to speak to what listens there. `room`: of one
        that a nest has, which is none of these."""
        self._lend(channel.DIALLED, name, room, lambda pidfd: self._networks.sockets(pidfd, count))

    def listen(self, name: str, places: list[tuple[str, str, int]], room: int | None) -> None:
        """Make sockets there that hear what the instance sends to these places; all of them, or none."""
        self._lend(channel.LISTENED, name, room, lambda pidfd: self._networks.listeners(pidfd, places))

    def _lend(self, report: str, name: str, room: int | None, make: Callable[[int], list[socket.socket]]) -> None:
        """Give the server sockets of an instance's network."""
        instance = self._all.get(name)
        inside = instance.pidfd if instance is not None and instance.started else room
        if inside is None:
            self._report({"op": report, "id": name, "error": "there is no such instance"}, [])
            return
        try:
            made = make(inside)
        except OSError as error:
            self._report({"op": report, "id": name, "error": str(error)}, [])
            return
        self._report({"op": report, "id": name}, [one.fileno() for one in made])
        for one in made:
            one.close()

    def kill(self, name: str) -> None:
        """End an instance, which may have ended already."""
        instance = self._all.get(name)
        if instance is None:
            return
        instance.killed = True
        self._signal(instance)

    def _out_of_memory(self, instance: _Instance) -> None:
        """Memory ran out, and the kernel chose one process: all of the instance goes."""
        assert instance.memory_event is not None
        self._selector.unregister(instance.memory_event)
        os.close(instance.memory_event)
        instance.memory_event = None
        instance.out_of_memory = True
        self._signal(instance)

    def _signal(self, instance: _Instance) -> None:
        """The end of pid 1 is the end of every process in its namespace; the kernel sees to it. The others need not
        wait until it has heard of it."""
        if instance.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(instance.pid, signal.SIGKILL)
            instance.group.kill()

    def _ended(self, instance: _Instance) -> None:
        """Nothing of the instance runs any more: say how it ended, and give everything back."""
        if not instance.started and not instance.failed:
            self._catch_up()  # its word that it is isolated, or why it is not, may wait behind what others have said
        _, status = os.waitpid(instance.pid, 0)
        out = instance.out_of_memory or instance.group.ran_out_of_memory()
        if os.WIFSIGNALED(status):
            reason, code = "signaled", os.WTERMSIG(status)
        else:
            reason, code = "exited", os.WEXITSTATUS(status)
        if instance.killed and reason == "signaled":
            reason = "killed"
        elif out:
            reason, code = "out-of-memory", signal.SIGKILL
        peak = 0
        with contextlib.suppress(OSError):  # where only its status says, there is none any more
            peak = cgroups.read_peak(instance.peak)
        if reason == "out-of-memory" and not instance.group.keeps_peak():
            peak = instance.limits.memory_bytes  # nothing is used any more
        if not instance.started and not instance.failed:
            self.failed(instance.name, f"it died while it was isolated: {reason} ({code})")
        started = instance.started
        self._release(instance)
        if started:
            message = {"op": channel.EXITED, "id": instance.name, "reason": reason, "code": int(code)}
            self._report({**message, "peak": peak}, [])

    def _release(self, instance: _Instance) -> None:
        for descriptor in (instance.pidfd, instance.memory_event):
            if descriptor is not None and descriptor >= 0:
                self._selector.unregister(descriptor)
        instance.close()
        del self._all[instance.name]
        self._free.append(instance.uid)
        self._groups.discard(instance.group)

    def pids(self) -> list[int]:
        return [instance.pid for instance in self._all.values() if instance.pid]

    def end(self) -> None:
        """Kill and bury all."""
        for instance in list(self._all.values()):
            instance.killed = True
            self._signal(instance)
        for instance in list(self._all.values()):
            if instance.pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(instance.pid, 0)


def _open_trees(paths: Sequence[str]) -> list[int]:
    """Copies of the mounts at these paths; none is left open when one cannot be had. OSError."""
    opened: list[int] = []
    try:
        for path in paths:
            opened.append(kernel.open_tree(path))  # noqa: PERF401 (a failure must not lose the ones before it)
    except OSError:
        for descriptor in opened:
            os.close(descriptor)
        raise
    return opened
