"""The containers a supervisor has: from admission to the last trace of them being gone.

A container is first a fork that becomes a runtime (`stage`), and then what the runtime started and left behind, which
becomes the supervisor's child, for it is the first process of its pid namespace.
"""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import shutil
import signal
import socket
from collections.abc import Callable
from typing import Any

from mayfly.sandbox.agent import cgroups, channel, kernel, networks, seccomp
from mayfly.sandbox.agent.instances import NoRoomError, Uids
from mayfly.sandbox.oci import endings, roots, stage
from mayfly.sandbox.oci.container import Container
from mayfly.sandbox.oci.runtimes import Runtime

Report = Callable[[dict[str, Any], list[int]], None]
_RETRY_S = 0.005


class Containers:
    """All containers, by id."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        groups: cgroups.Groups,
        uids: Uids,
        runtime: Runtime,
        place: str,
        report: Report,
    ) -> None:
        """`place` is a directory for what runtimes keep, in which nobody else looks."""
        self._selector = selector
        self._groups = groups
        # Each has two: the function's, and the next one for the runtime. The pair unused for longest comes first.
        self._free = collections.deque(range(uids.first, uids.first + uids.size - 1, 2))
        self._runtime = runtime
        self._place = place
        self._report = report
        self._networks = networks.Networks()
        self._calls, self._heard_of = _compiled(listener=runtime.family == "crun")
        self._all: dict[str, Container] = {}
        self._by_pid: dict[int, Container] = {}
        self._strangers: dict[int, int] = {}  # statuses of children that ended before their ids were read
        self._ending: list[Container] = []

    def start(self, message: dict[str, Any], descriptors: list[int], base: roots.Root) -> None:
        """Begin to make a container; the descriptors are this object's. OSError, `NoRoomError`: it is not begun."""
        given: list[int] = []
        try:
            for path in [message["root"]] if message["root"] else [message["code"], *message["layers"]]:
                given.append(kernel.open_tree(path))  # noqa: PERF401 (a failure must not lose the ones before it)
            container = self._admit(message)
            try:
                self._fork(container, message, stage.Given(descriptors[0], descriptors[1], given), base)
            except OSError:
                self._release(container)
                raise
        finally:
            for descriptor in (*descriptors, *given):
                os.close(descriptor)

    def _admit(self, message: dict[str, Any]) -> Container:
        if not self._free:
            raise NoRoomError("no user ids are free for another container")
        name, memory_mb = message["id"], message["memory_mb"] + self._runtime.memory_mb
        limits = cgroups.Limits(memory_mb << 20, message["cpus"], message["processes"] + self._runtime.threads)
        place = f"{self._place}/{name}"
        group = self._groups.create()
        try:
            group.limit(limits)
            os.mkdir(place, 0o711)
            os.chmod(place, 0o711)  # noqa: S103 (the runtime, which is no root, reads what is in it)
            container = Container(name, self._free[0], group, limits.memory_bytes, place)
        except OSError:
            self._groups.discard(group)
            raise
        self._free.popleft()
        self._all[name] = container
        if container.memory_event is not None:
            self._selector.register(container.memory_event, selectors.EVENT_READ, lambda: self._exhausted(container))
        return container

    def _fork(self, container: Container, message: dict[str, Any], given: stage.Given, base: roots.Root) -> None:
        plan = stage.Plan(
            id=container.name,
            place=container.place,
            runtime=self._runtime,
            base=base,
            program=message["program"],
            rooted=bool(message["root"]),
            uid=container.uid,
            ephemeral_mb=message["ephemeral_mb"],
            open_files=message["open_files"],
            calls=self._calls,
            heard=self._heard_of,
        )
        if self._heard_of:
            ears = container.ears = _listening(stage.ears(container.place))
            self._selector.register(ears, selectors.EVENT_READ, lambda: self._called(container, ears))
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        entrances = container.group.entrances()
        try:
            pid, left = _clone_into(entrances)
            if pid == 0:
                mine.close()
                stage.become(plan, given, left, theirs)
        except OSError:
            mine.close()
            raise
        finally:
            theirs.close()
            for entrance in entrances:
                os.close(entrance)
        container.channel = mine
        container.runtime_pid = pid
        self._by_pid[pid] = container
        self._selector.register(mine, selectors.EVENT_READ, lambda: self._heard(container))

    def _heard(self, container: Container) -> None:
        """What a fork says on its way."""
        assert container.channel is not None
        try:
            received = channel.receive(container.channel)
        except ConnectionError:
            received = None
        if received is None:
            self._hang_up(container)  # the runtime was executed, or the fork is dead: its end tells which
            return
        message, descriptors = received
        if message["op"] == stage.MAP:
            try:
                stage.map_ids(container.runtime_pid, container.uid)
                channel.send(container.channel, {"op": stage.MAP})
            except OSError as error:
                container.error = str(error)
                self._hang_up(container)
        elif message["op"] == channel.LISTENING:
            container.endpoint = descriptors
        else:
            container.error = message["error"]

    def _hang_up(self, container: Container) -> None:
        if container.channel is not None:
            self._selector.unregister(container.channel)
            container.channel.close()
            container.channel = None

    def reaped(self, pid: int, status: int) -> None:
        """A child of this process was buried."""
        container = self._by_pid.pop(pid, None)
        if container is None:
            if any(one.runtime_pid for one in self._all.values()):
                self._strangers[pid] = status
        elif pid == container.runtime_pid:
            self._runtime_ended(container, status)
        else:
            self._ended(container, status)
        if not any(one.runtime_pid for one in self._all.values()):
            self._strangers.clear()

    def _runtime_ended(self, container: Container, status: int) -> None:
        """The runtime has done what it was called for, or has failed to."""
        while container.channel is not None:  # what it said before is there, and then the end
            self._heard(container)
        container.runtime_pid = 0
        pid = endings.process_of(container.place) if status == 0 else 0
        if pid == 0 or len(container.endpoint) == 0:
            container.error = container.error or endings.complaint(container.place, status)
            self._end(container, endings.Ending("signaled", signal.SIGKILL))
            return
        container.pid = pid
        before = self._strangers.pop(pid, None)
        if before is not None:
            self._started(container)
            self._ended(container, before)
            return
        self._by_pid[pid] = container
        container.pidfd = os.pidfd_open(pid)
        if container.killed or container.out_of_memory:
            self._signal(container)
        self._started(container)

    def _started(self, container: Container) -> None:
        container.started = True
        freezer = container.group.open_freezer()
        message = {"op": channel.STARTED, "id": container.name, "origin": "process"}
        self._report(message, [*container.endpoint, container.peak, *freezer])
        for descriptor in (*container.endpoint, *freezer):
            os.close(descriptor)
        container.endpoint = []
        self._pass_on(container)

    def _called(self, container: Container, ears: socket.socket) -> None:
        """The runtime is about to hand over the listener."""
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = ears.accept()
            self._deafen(container)
            connection.setblocking(False)
            container.ears = connection
            self._selector.register(connection, selectors.EVENT_READ, lambda: self._handed(container, connection))

    def _handed(self, container: Container, connection: socket.socket) -> None:
        """It has: what it says beside it is the state of the container, which is known."""
        descriptors: list[int] = []
        with contextlib.suppress(OSError):
            _, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 4)
        self._deafen(container)
        for more in descriptors[1:]:
            os.close(more)
        if descriptors:
            container.listener = descriptors[0]
        if container.started:
            self._pass_on(container)

    def _pass_on(self, container: Container) -> None:
        """Give the listener to the server, which knows the container by now."""
        if container.listener >= 0:
            self._report({"op": channel.HEARD, "id": container.name}, [container.listener])
            os.close(container.listener)
            container.listener = -1

    def _deafen(self, container: Container) -> None:
        if container.ears is not None:
            self._selector.unregister(container.ears)
            container.ears.close()
            container.ears = None

    def dial(self, name: str, count: int) -> None:
        """Make sockets in the network of a container, for the server to speak to what listens there."""
        self._lend(channel.DIALLED, name, lambda pidfd: self._networks.sockets(pidfd, count))

    def listen(self, name: str, places: list[tuple[str, str, int]]) -> None:
        """Make sockets there that hear what the container sends to these places; all of them, or none."""
        self._lend(channel.LISTENED, name, lambda pidfd: self._networks.listeners(pidfd, places))

    def _lend(self, report: str, name: str, make: Callable[[int], list[socket.socket]]) -> None:
        """Give the server sockets of a container's network."""
        container = self._all.get(name)
        message: dict[str, Any] = {"op": report, "id": name}
        if container is None or container.pidfd < 0 or container.exit is not None:
            self._report({**message, "error": "there is no such container"}, [])
            return
        try:
            made = make(container.pidfd)
        except OSError as error:
            self._report({**message, "error": str(error)}, [])
            return
        self._report(message, [one.fileno() for one in made])
        for one in made:
            one.close()

    def limit_cpus(self, name: str, cpus: float) -> None:
        """Change how many processors a container may use, which may have ended already."""
        container = self._all.get(name)
        if container is not None and not container.killed and not container.out_of_memory:
            with contextlib.suppress(OSError):  # its group is being removed
                container.group.limit_cpus(cpus)

    def kill(self, name: str) -> None:
        """End a container, which may have ended already."""
        container = self._all.get(name)
        if container is not None:
            container.killed = True
            self._signal(container)

    def _exhausted(self, container: Container) -> None:
        """Memory ran out, and the kernel chose one process: all of the container goes."""
        assert container.memory_event is not None
        self._selector.unregister(container.memory_event)
        os.close(container.memory_event)
        container.memory_event = None
        container.out_of_memory = True
        self._signal(container)

    def _signal(self, container: Container) -> None:
        for pid in (container.pid, container.runtime_pid):
            if pid in self._by_pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        container.group.kill()

    def _ended(self, container: Container, status: int) -> None:
        self._end(container, endings.ending_of(status, own_kernel=self._runtime.has_own_kernel))

    def _end(self, container: Container, how: endings.Ending) -> None:
        """Its first process is gone, or will never be. What is left of it goes, and then the server is told."""
        if container.exit is not None:
            return
        out = container.out_of_memory or container.group.ran_out_of_memory()
        container.peak_bytes = cgroups.read_peak(container.peak)
        if container.killed and how.reason == "signaled":
            how = endings.Ending("killed", how.code)
        elif out:
            how = endings.Ending("out-of-memory", signal.SIGKILL)
            if not container.group.keeps_peak():
                container.peak_bytes = container.memory_bytes
        container.exit = how
        self._ending.append(container)
        self.retry()

    def retry_s(self) -> float | None:
        """How long the supervisor may sleep before `retry`; None: for ever."""
        return _RETRY_S if self._ending else None

    def retry(self) -> None:
        """See whether what was left of containers is gone by now."""
        self._ending = [container for container in self._ending if not self._gone(container)]

    def _gone(self, container: Container) -> bool:
        if not container.group.remove():
            return False
        how, started = container.exit, container.started
        assert how is not None
        self._release(container)
        if started:
            message = {"op": channel.EXITED, "id": container.name, "reason": how.reason, "code": int(how.code)}
            self._report({**message, "peak": container.peak_bytes}, [])
        else:
            error = container.error or f"it died while it was isolated: {how.reason} ({how.code})"
            if how.reason == "out-of-memory":
                error = f"{container.memory_bytes >> 20} MB are too few to start in"
            self._report({"op": channel.FAILED, "id": container.name, "error": error}, [])
        return True

    def _release(self, container: Container) -> None:
        self._hang_up(container)
        if container.memory_event is not None:
            self._selector.unregister(container.memory_event)
        for descriptor in (
            container.peak,
            container.memory_event,
            container.pidfd,
            container.listener,
            *container.endpoint,
        ):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
        self._deafen(container)
        shutil.rmtree(container.place, ignore_errors=True)
        del self._all[container.name]
        self._free.append(container.uid)
        self._groups.discard(container.group)


def _listening(path: str) -> socket.socket:
    """A socket that a runtime, which is no root, connects to. A path may be longer than an address of this kind."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        os.chmod(path, 0o666)  # noqa: S103 (whoever may look into the directory)
        listener.listen(1)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(directory)
    return listener


def _compiled(*, listener: bool) -> tuple[bytes, bool]:
    """The filter of system calls, and whether somebody hears of what it refuses."""
    descriptor = os.memfd_create("filter", os.MFD_CLOEXEC)
    try:
        heard = seccomp.compile_filter(descriptor, listener=listener)
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0), heard
    finally:
        os.close(descriptor)


def _clone_into(entrances: list[int]) -> tuple[int, list[int]]:
    """Fork into a mount namespace: 0 in the child, with the groups that it must enter by itself."""
    if os.path.isdir(f"/proc/self/fd/{entrances[0]}"):
        try:
            return kernel.clone(kernel.CLONE_NEWNS, entrances[0]), []
        except OSError as error:
            if error.errno not in kernel.CANNOT_CLONE_INTO:
                raise
    return kernel.clone(kernel.CLONE_NEWNS), entrances
