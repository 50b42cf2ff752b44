"""The instances of one nest: who waits for one, which are on their way, and the order of the steps.

One room is kept ready beyond what is wanted, and the shared template is told of it ahead, so that an instance waits for
one fork alone; rooms and forks are made by two processes, side by side. A room that nobody waits for is made when
starting has been quiet for a moment: its making would take a processor, and locks of the kernel, from the instance that
has just been forked. It holds no process of the template.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import signal
import socket
import time
from collections.abc import Callable, Set
from typing import Any

from mayfly.sandbox.agent import cgroups, channel, instances, lodger
from mayfly.sandbox.agent.lodger import Lodger, Request, close_all, doors
from mayfly.sandbox.agent.watch import Watch

# So many rooms, and so many forks, are asked for at a time: more would only queue, and fill the sockets.
_AT_ONCE = 4
_MOST_FAILURES = 8
# So long nothing may have been forked before the room in reserve is made: about as long as a first call takes.
_QUIET_S = 0.01


class Lodging:
    """All lodgers of one nest."""

    def __init__(
        self,
        message: dict[str, Any],
        sockets: tuple[socket.socket, socket.socket],
        watch: Watch,
        groups: cgroups.Groups,
        report: instances.Report,
        template_pid: int,
        known_pids: Callable[[], set[int]],
        over: Callable[[str], None],
        left: Callable[[], None],
    ) -> None:
        """`sockets`: to the keeper, to the shared template; `over` is called with the id of an instance that is no
        more, or never will be, `left` when a lodger is gone."""
        self._limits = cgroups.Limits(message["memory_mb"] << 20, message["cpus"], message["processes"])
        self._ephemeral_mb: int = message["ephemeral_mb"]
        self._keeper, self._template = sockets
        self._watch = watch
        self._groups = groups
        self._report = report
        self._template_pid = template_pid
        self._known_pids = known_pids
        self._over = over
        self._left = left
        self._numbers = itertools.count(1)
        self._all: dict[int, Lodger] = {}
        self._stages: dict[str, dict[int, Lodger]] = {stage: {} for stage in lodger.STAGES}
        self._named: dict[str, Lodger] = {}  # those that an instance was asked for, by its id
        self._pids: set[int] = set()  # of processes that are not buried
        self._waiting: collections.deque[Request] = collections.deque()
        self._closed = False
        self._failures = 0  # one after another, of what was made and is no instance yet
        self.progress_at = time.monotonic()
        self._quiet_at = 0.0  # when the room in reserve may be made
        self._has_look = False  # and is to be

    # From outside.

    def open(self) -> None:
        """Have the first room made."""
        self._go_on()

    def start(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Make an instance, as `channel.START` asks."""
        if not self.is_busy:
            self.progress_at = time.monotonic()
        self._waiting.append(Request(message["id"], message["ahead"], descriptors))
        self._go_on()

    def kill(self, name: str) -> None:
        if (one := self._named.get(name)) is not None:
            one.killed = True
            self._end(one)
            return
        for request in list(self._waiting):
            if request.name == name:
                self._waiting.remove(request)
                self._fail(request, "it was killed before it was started")

    def limit_cpus(self, name: str, cpus: float) -> None:
        one = self._named.get(name)
        if one is not None and one.stage == lodger.RUNNING and not one.killed and not one.out_of_memory:
            with contextlib.suppress(OSError):  # its group is being removed
                one.group.limit_cpus(cpus)

    def room(self, name: str) -> int | None:
        """The first process of an instance's namespaces, as a descriptor of this object's; None: it does not run."""
        one = self._named.get(name)
        return one.room_pidfd if one is not None and one.stage == lodger.RUNNING and not one.room_ended else None

    def close(self, why: str) -> None:
        """Make no instance any more; those that run go on."""
        self._closed = True
        while self._waiting:
            self._fail(self._waiting.popleft(), why)
        for one in list(self._all.values()):
            if one.stage not in {lodger.RUNNING, lodger.ENDING}:
                self._end(one, why)

    def kill_all(self) -> None:
        """At the end of the agent; burying is the caller's."""
        for one in self._all.values():
            one.kill()

    def retry_s(self) -> float | None:
        """How long the agent may sleep before `retry`; None: for ever."""
        if self._has_look and not self._closed:
            return max(0.0, self._quiet_at - time.monotonic())
        return None

    def retry(self) -> None:
        """Have the room in reserve made if it is time."""
        if self._has_look and time.monotonic() >= self._quiet_at:
            self._go_on()

    @property
    def count(self) -> int:
        return len(self._all)

    @property
    def is_forking(self) -> bool:
        return bool(self._stages[lodger.FORKING])

    @property
    def is_busy(self) -> bool:
        """Whether somebody is to do something."""
        return bool(self._waiting or self._stages[lodger.ROOM] or self._stages[lodger.FORKING])

    @property
    def pids(self) -> Set[int]:
        """The processes that were forked and are not buried."""
        return self._pids

    # The steps.

    def _move(self, one: Lodger, stage: str) -> None:
        del self._stages[one.stage][one.number]
        self._stages[stage][one.number] = one
        one.stage = stage

    def _go_on(self) -> None:
        """Do what can be done now: fork into empty rooms, have rooms made."""
        if self._closed:
            return
        if self._failures >= _MOST_FAILURES:
            while self._waiting:
                self._fail(self._waiting.popleft(), "what the shared template forks does not live")
            return
        told, empty, rooms = (self._stages[stage] for stage in (lodger.TOLD, lodger.EMPTY, lodger.ROOM))
        forking = len(self._stages[lodger.FORKING])
        for room in (*told.values(), *empty.values()):
            if forking >= _AT_ONCE or not self._waiting:
                break
            forking += self._fork(room, self._waiting.popleft())
        if forking and not self._waiting:
            return  # the room in reserve can wait: making it would slow the fork down
        self._keep_one_told()
        wanted = len(self._waiting) + 1 - len(empty) - len(told) - len(rooms)
        self._has_look = wanted > 0 and not self._waiting and time.monotonic() < self._quiet_at
        if self._has_look:
            return
        for _ in range(min(wanted, _AT_ONCE - len(rooms))):
            if not self._ask_for_room():
                break

    def _keep_one_told(self) -> None:
        """Tell the shared template of a room ahead, unless it knows one."""
        empty = next(iter(self._stages[lodger.EMPTY].values()), None)
        if empty is not None and not self._stages[lodger.TOLD]:
            self._tell(empty)

    def _ask_for_room(self) -> bool:
        group, one = None, None
        try:
            group = self._groups.create()
            group.limit(self._limits)
            one = Lodger(next(self._numbers), group)
            entrances = doors(group)
        except OSError as error:
            if one is not None:
                one.close_descriptors()
            if group is not None:
                self._groups.discard(group)
            self._give_up_waiting(str(error))
            return False
        if not self.is_busy:
            self.progress_at = time.monotonic()  # nothing was to be done until now
        self._all[one.number] = self._stages[one.stage][one.number] = one
        if one.memory_event is not None:
            self._watch.add(one.memory_event, lambda: self._out_of_memory(one))
        try:
            request = {"op": channel.ROOM, "room": one.number, "ephemeral_mb": self._ephemeral_mb}
            channel.send(self._keeper, request, entrances)
        except OSError as error:
            self._end(one, str(error))
            return False
        finally:
            close_all(entrances)
        return True

    def room_made(self, number: int, pid: int, descriptors: list[int]) -> None:
        """The keeper has a room ready: endpoint and namespaces; `pid` is its first process."""
        self.progress_at = time.monotonic()
        one = self._all.get(number)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:  # it ended
            close_all(descriptors)
            if one is not None:
                self._end(one, str(error))
            return
        if one is None or one.stage != lodger.ROOM:  # nobody wants it any more
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            close_all([pidfd, *descriptors])
            return
        one.endpoint, *one.namespaces = descriptors
        one.room_pidfd = pidfd
        self._move(one, lodger.EMPTY)
        self._watch.add(pidfd, lambda: self._room_ended(one))
        self._go_on()

    def room_failed(self, number: int, error: str) -> None:
        one = self._all.get(number)
        if one is not None:
            self._end(one, error)
        self._give_up_waiting(error)

    def _tell(self, one: Lodger) -> bool:
        """Let the shared template have a room: what it needs to enter it, and the end of a socket for its fork."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        mine.setblocking(False)
        one.fork_socket = mine
        self._move(one, lodger.TOLD)
        # An instance may end before the template, which waits for a processor, has left its group.
        one.group.guest = self._template_pid
        self._watch.add(mine.fileno(), lambda: self._forked(one))
        entrances: list[int] = []
        try:
            entrances = doors(one.group)
            message = {"op": channel.ENTER, "doors": len(entrances)}
            channel.send(self._template, message, [theirs.fileno(), *one.namespaces, *entrances])
        except OSError as error:
            self._end(one, f"the shared template does not listen: {error}")
            return False
        finally:
            theirs.close()
            close_all(entrances)
        close_all(one.namespaces)
        return True

    def _fork(self, one: Lodger, request: Request) -> bool:
        """Ask for a process in a room."""
        one.request = request
        self._named[request.name] = one
        if one.stage == lodger.EMPTY and not self._tell(one):
            return False
        self._move(one, lodger.FORKING)
        try:
            channel.send(self._template, {"op": channel.START, "ahead": request.ahead}, request.descriptors)
        except OSError as error:
            self._end(one, f"the shared template does not listen: {error}")
            return False
        return True

    def _forked(self, one: Lodger) -> None:
        """The fork, or whoever holds its socket, says one byte. What it is does not matter; who it is does."""
        assert one.fork_socket is not None
        try:
            data, descriptors, sender = channel.receive_from(one.fork_socket)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors, sender = b"", [], 0
        close_all(descriptors)
        if one.stage != lodger.FORKING or not data or not self._is_new_child(sender):
            self._end(one, "the shared template made no process")
            return
        self.progress_at = time.monotonic()
        one.pid, one.pidfd = sender, os.pidfd_open(sender)
        self._pids.add(sender)
        self._watch.add(one.pidfd, lambda: self._process_ended(one))
        self._started(one)
        self._go_on()

    def _is_new_child(self, pid: int) -> bool:
        """Whether a process is this one's child, and none that is known."""
        if pid <= 0 or pid in self._known_pids():
            return False
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def _started(self, one: Lodger) -> None:
        assert one.fork_socket is not None
        assert one.request is not None
        self._move(one, lodger.RUNNING)
        self._failures = 0
        self._watch.remove(one.fork_socket.fileno())
        one.fork_socket.close()
        one.fork_socket = None
        self._report(
            {"op": channel.STARTED, "id": one.name, "origin": "template"}, [one.endpoint, one.peak, *one.freezer]
        )
        for several in (one.request.descriptors, [one.endpoint], one.freezer):
            close_all(several)
        one.endpoint = -1
        self._quiet_at = time.monotonic() + _QUIET_S

    # The ends.

    def _out_of_memory(self, one: Lodger) -> None:
        assert one.memory_event is not None
        self._watch.remove(one.memory_event)
        os.close(one.memory_event)
        one.memory_event = None
        one.out_of_memory = True
        self._end(one, "memory ran out")

    def _process_ended(self, one: Lodger) -> None:
        self._watch.remove(one.pidfd)
        _, one.status = os.waitpid(one.pid, 0)
        self._pids.discard(one.pid)
        self._end(one, "it ended while it was started")

    def _room_ended(self, one: Lodger) -> None:
        self._watch.remove(one.room_pidfd)
        one.room_ended = True
        self._end(one, "its room ended")

    def _end(self, one: Lodger, why: str = "") -> None:
        """Kill what is left of it; when nothing is, say how it ended and give everything back."""
        if one.number not in self._all:
            return
        if one.stage not in {lodger.RUNNING, lodger.ENDING}:
            if not one.killed:
                self._failures += 1
            if one.request is not None:
                self._fail(one.request, why)
                one.request = None
        if one.fork_socket is not None:
            self._watch.remove(one.fork_socket.fileno())
            one.fork_socket.close()  # a process that is still on its way ends when it finds nobody here
            one.fork_socket = None
        self._move(one, lodger.ENDING)
        one.kill()
        if one.ended:
            self._release(one)

    def _release(self, one: Lodger) -> None:
        name = one.name
        message = {"op": channel.EXITED, "id": name, **one.exit_message()} if name else None
        for descriptor in (one.memory_event, one.pidfd, one.room_pidfd):
            if descriptor is not None and descriptor >= 0:
                self._watch.remove(descriptor)
        one.close_descriptors()
        del self._all[one.number], self._stages[one.stage][one.number]
        self._groups.discard(one.group)
        if message is not None:
            del self._named[name]
            self._over(name)
            self._report(message, [])
        self._go_on()
        self._left()

    def _give_up_waiting(self, error: str) -> None:
        """No room can be made: who waits for one hears so, unless rooms are on their way."""
        while self._waiting and not (self._stages[lodger.ROOM] or self._stages[lodger.EMPTY]):
            self._fail(self._waiting.popleft(), error)

    def _fail(self, request: Request, error: str) -> None:
        close_all(request.descriptors)
        self._named.pop(request.name, None)
        self._over(request.name)
        self._report({"op": channel.FAILED, "id": request.name, "template": True, "error": error}, [])
