"""A shared template from within: load what instances have in common, look for hazards, fork on request.

From `prepare` on this process belongs to the user's packages. Whoever reads what it says must not believe it: the
server reads frames, as from any function; the agent reads one byte, and who sent it from the kernel.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
import time
from typing import Any, NamedTuple, NoReturn

from mayfly.sandbox import frames
from mayfly.sandbox.agent import channel, forks, isolate, keeper, kernel, pages, powers
from mayfly.sandbox.python import ahead, bootstrap, rehearsal, settle

_HERE = b"\1"


def serve(
    report: socket.socket,
    requests: socket.socket,
    home: list[int],
    denial: kernel.SystemCallFilter,
    label: str,
    hooks: forks.Hooks,
) -> NoReturn:
    """Never returns. `report` is the server's, `requests` the agent's; `home` are the doors of this process's control
    group; `denial` takes away what only a template may."""
    try:
        with open(pages.MAPS) as maps:
            inherited = pages.places(maps)
        ready = _prepare(report, frozenset((requests.fileno(), report.fileno(), *home)))
        report.close()
        if ready is not None:
            ready.listen()
            _plugs = settle.settle(lambda: rehearsal.warm_shared(ready))
            with open(pages.MAPS) as maps:
                pages.collapse(pages.places(maps) - inherited)
            _fork_on_request(requests, _Kit(ready, home, denial, label, hooks))
    finally:
        os._exit(1)


class _Kit:
    """What every fork of a template needs."""

    def __init__(
        self, ready: ahead.Ready, home: list[int], denial: kernel.SystemCallFilter, label: str, hooks: forks.Hooks
    ) -> None:
        self.ready = ready
        self.home = home
        self.denial = denial
        self.label = label
        self.renounces = powers.Renunciation()
        self._hooks = hooks

    def clone(self) -> int:
        """`kernel.clone`. Where packages left threads of Python's behind, one of them may hold a lock."""
        self._hooks.spared = len(sys._current_frames()) == 1  # noqa: SLF001 (documented)
        try:
            return kernel.clone(kernel.CLONE_PARENT)
        finally:
            self._hooks.spared = False  # in the clone, too


def _prepare(report: socket.socket, kept: frozenset[int]) -> ahead.Ready | None:
    """Do what the server's one frame asks for, and answer it."""
    report.setblocking(True)
    decoder = frames.Decoder()
    asked: list[frames.Frame] = []
    while not asked:
        data = report.recv(1 << 18)
        if not data:
            return None
        asked += decoder.feed(data)
    began = time.perf_counter()
    try:
        ready = ahead.prepare(asked[0].meta, kept)
    except ahead.RefusedError as refusal:
        report.sendall(frames.encode(frames.REFUSED, {"reasons": refusal.reasons, "printed": refusal.printed}))
        return None
    except ahead.InitFailedError as failure:
        report.sendall(
            frames.encode(frames.INIT_ERROR, {"printed": failure.printed}, json.dumps(failure.error).encode())
        )
        return None
    took_ms = round((time.perf_counter() - began) * 1000, 3)
    answer = {"modules": ready.modules, "took_ms": took_ms, "printed": ready.logged}
    report.sendall(frames.encode(frames.PREPARED, answer))
    return ready


class _Room(NamedTuple):
    """Where the next fork goes."""

    agent: int  # the fork's own socket to the agent
    namespaces: list[int]
    doors: list[int]  # of its control group

    def enter(self) -> None:
        """What can be done before there is a fork: this process goes into the control group, and its children into the
        namespace of processes."""
        powers.enter(self.namespaces[0], kernel.CLONE_NEWPID)
        _go_through(self.doors)

    def close(self) -> None:
        for descriptor in (self.agent, *self.namespaces, *self.doors):
            os.close(descriptor)


def _fork_on_request(requests: socket.socket, kit: _Kit) -> None:
    """ENTER comes with the descriptors of a room, START with control socket and output pipe of the instance in it.

    This process forks from within the control group of its fork, so that the memory that forking takes, tables of pages
    above all, is the instance's own, and not that of a template whose group would fill with it. It goes there once it
    knows the room, because to change groups takes up to 20 ms with v2 (see `cgroups.Group.entrances`), and leaves when
    it has forked. Where the group comes to its end before that, the agent gives this process a while to leave.

    What is drawn for the next fork, it draws before, at home, unless somebody waits for that fork already.

    A room may end at any time, with an instance that nobody wants any more. Then nothing can be forked into it: the
    agent sees the fork's socket close, and this process goes on.
    """
    room: _Room | None = None
    while (received := channel.receive(requests)) is not None:
        message, descriptors = received
        if message["op"] == channel.ENTER:
            if room is not None:
                room.close()
            elif not _is_awaited(requests):
                kit.ready.freshen()
            agent, *rest = descriptors
            room = _entered(_Room(agent, rest[: len(keeper.ROOM)], rest[len(keeper.ROOM) :]), kit.home)
            continue
        if room is not None:
            _fork(message, room, descriptors, kit)
            if not _is_awaited(requests):
                _go_through(kit.home)
            kit.ready.forked()
            room.close()
            room = None
        for descriptor in descriptors:
            os.close(descriptor)


def _entered(room: _Room, home: list[int]) -> _Room | None:
    """The room, which this process has entered; None where that has ended."""
    try:
        room.enter()
    except OSError:
        room.close()
        _go_through(home)
        return None
    return room


def _fork(message: dict[str, Any], room: _Room, descriptors: list[int], kit: _Kit) -> None:
    try:
        pid = kit.clone()
    except OSError:
        return  # the room has ended
    if pid == 0:
        _become_instance(message, room, descriptors, kit)


def _is_awaited(requests: socket.socket) -> bool:
    """Whether the next message is here already."""
    return bool(select.select([requests], [], [], 0)[0])


def _become_instance(message: dict[str, Any], room: _Room, descriptors: list[int], kit: _Kit) -> NoReturn:
    """In the clone: never returns, whatever happens."""
    try:
        for (_, kind), namespace in list(zip(keeper.ROOM, room.namespaces))[1:]:  # noqa: B905 (runs on Python 3.9 too)
            powers.enter(namespace, kind)
        os.chdir(isolate.TASK_ROOT)
        kit.renounces.carry_out()
        kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
        kernel.prctl_name(f"fn:{kit.label}" if kit.label else "fn")
        os.setsid()
        kit.denial.install()
        to_agent = socket.socket(fileno=room.agent)
        control, output = descriptors
        to_agent.send(_HERE)  # fails when the agent died before PR_SET_PDEATHSIG
        os.dup2(output, 1)
        os.dup2(output, 2)
        to_agent.detach()
        if control != isolate.CONTROL:
            os.dup2(control, isolate.CONTROL, inheritable=False)
        _close_all_but(kit.ready.inherited)
        if message["ahead"]:
            rehearsal.warm_shared(kit.ready)
            kit.ready.freshen()
        gc.enable()
        waits = isolate.TASK_ROOT if message["ahead"] else ""
        bootstrap.serve(socket.socket(fileno=isolate.CONTROL), ready=kit.ready, waits=waits)
    finally:
        os._exit(1)


def _go_through(doors: list[int]) -> None:
    """Move this process into a control group."""
    for door in doors:
        os.write(door, b"0")


def _close_all_but(kept: frozenset[int]) -> None:
    """Close every descriptor that is not standard, the control socket, or one that the packages opened."""
    if not kept:
        kernel.close_from(isolate.CONTROL + 1)
        return
    for name in os.listdir("/proc/self/fd"):
        if int(name) > isolate.CONTROL and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the listing's own
