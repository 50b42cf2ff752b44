"""A template: an interpreter with the standard library and boto3 loaded, from which instances are cloned.

Started by the agent, one a runtime. No user code ever runs in it, so it stays root. It lives in the file system that
its instances see, so every module in it has the path that it has for a function.
"""

from __future__ import annotations

import gc
import os
import pkgutil
import select
import signal
import socket
import stat
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn, Optional

from mayfly.sandbox.agent import channel, forks, isolate, kernel, nest, pages, powers, residents, root
from mayfly.sandbox.python import bootstrap, launcher, settle

_LAST_CAPABILITY = 63

_Wait = Callable[[], Optional[tuple[dict[str, Any], list[int]]]]  # noqa: UP045 (evaluated on Python 3.9 too)


def main(descriptor: int, hooks: forks.Hooks) -> NoReturn:
    """Serve the agent at the other end of `descriptor` until it goes away. `hooks` are being gathered."""
    to_agent = socket.socket(fileno=descriptor)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    received = channel.receive(to_agent)
    if received is None:
        sys.exit(0)
    message, (filter_descriptor, shared_filter, denial, *entrances) = received
    try:
        keeper = nest.pack_keeper()
        resident = residents.of(message["resident"])
        seal, missing, _plugs = _prepare(message, filter_descriptor, resident, hooks)
        filters = nest.Filters(_read_filter(shared_filter), _read_filter(denial))
    except Exception as error:  # the boundary of a process: the agent is told, whatever it was
        traceback.print_exc()
        channel.send(to_agent, {"op": channel.FAILED, "error": f"{type(error).__name__}: {error}"})
        sys.exit(1)
    clones = _Clones(to_agent, seal, filters, keeper, entrances, resident, hooks)
    clones.keep_spare()
    channel.send(to_agent, {"op": channel.PREPARED, "missing": missing})
    clones.serve()


def _prepare(
    message: dict[str, Any], filter_descriptor: int, resident: residents.Resident, hooks: forks.Hooks
) -> tuple[isolate.Seal, list[str], list[object]]:
    """The last steps of instances, what could not be loaded, and what `settle` left to be kept."""
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) if message["user_namespaces"] else -1
    seal = isolate.Seal(_read_filter(filter_descriptor), proc, message["alone"], powers.Renunciation())
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("300")  # when the whole machine runs out of memory, functions go before the server does
    maps = open(pages.MAPS)  # noqa: SIM115 (read at the end, when /proc is out of sight)
    kernel.unshare(kernel.CLONE_NEWNS)
    plan = root.RootPlan(
        message["stage"],
        message["prefix"],
        tuple(message["packages"]),
        message["first_uid"],
        message["uids"],
        message["node"],
        tuple((source, place) for source, place in message["shown"]),
        sys.executable,
    )
    root.enter(plan, alone=seal.alone)
    kernel.new_session_keyring()
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)
        except OSError:
            break  # the kernel has no more
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    _heed_signals()
    gc.disable()
    missing = resident.load("/var/runtime")
    hooks.release()
    bootstrap.forget_modules()
    bootstrap.open_output()
    os.environ["TZ"] = ":UTC"  # as most functions have it
    time.tzset()
    pkgutil.get_importer(isolate.TASK_ROOT)  # is kept, and looks into it when it is first asked
    plugs = settle.settle(lambda: _rehearse(resident, hooks))
    with maps:
        pages.collapse(pages.places(maps))
    return seal, missing, plugs


def _heed_signals() -> None:
    """Have a function inherit what any Python program starts with, and not what is ignored here: the terminal's signals
    by the agent, others by a server that `nohup` or a shell started in the background."""
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _rehearse(resident: residents.Resident, hooks: forks.Hooks) -> None:
    """What a clone does, as far as that is without effect."""
    hooks.spared = True
    kernel.rehearse_clone()
    hooks.spared = False
    isolate.rehearse()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, theirs:
        message: dict[str, Any] = {"op": channel.START, "id": "", "ahead": False, "label": "", "open_files": 1}
        channel.send(mine, message, [mine.fileno()])
        select.select([theirs], [], [], 0)
        received = channel.receive(theirs)
        assert received is not None
        os.close(received[1][0])
    resident.rehearse(isolate.LAYERS)


def _read_filter(descriptor: int) -> kernel.SystemCallFilter:
    """From an open file that other templates have too: not at its offset."""
    try:
        return kernel.SystemCallFilter(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    finally:
        os.close(descriptor)


class _Clones:
    """Clones on request, and one spare clone ahead of the next request.

    A spare has its namespaces, its control group, its network and all that is the same for every instance, which is
    most of the time of a start; it waits for the message that makes it an instance. The agent sends the group of the
    next instance ahead, so spare and group belong together.
    """

    def __init__(
        self,
        to_agent: socket.socket,
        seal: isolate.Seal,
        filters: nest.Filters,
        keeper: BinaryIO,
        entrances: list[int],
        resident: residents.Resident,
        hooks: forks.Hooks,
    ) -> None:
        self._hooks = hooks
        self._to_agent = to_agent
        self._resident = resident
        self._seal = seal
        self._filters = filters
        self._keeper = keeper
        self._entrances: list[int] | None = entrances  # of the group of the next instance; None until it is told
        self._spare: tuple[int, socket.socket] | None = None

    def keep_spare(self) -> None:
        """Make a spare unless there is one."""
        if self._spare is None and self._entrances is not None:
            self._spare = self._clone_spare()

    def serve(self) -> NoReturn:
        """Answer requests until the agent goes away; between them there is time for a spare."""
        while True:
            if not select.select([self._to_agent], [], [], 0)[0]:
                self.keep_spare()
            received = channel.receive(self._to_agent)
            if received is None:
                sys.exit(0)
            message, descriptors = received
            if message["op"] == channel.GROUP:
                self._entrances = descriptors
            elif message["op"] in (channel.NEST, channel.HATCH):
                self._nest(message, descriptors)
            else:
                self._start(message, descriptors)

    def _nest(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Make the keeper or the shared template of a nest."""
        report = {"op": channel.CLONED, "id": message["id"]}
        try:
            if message["op"] == channel.NEST:
                report["pid"] = nest.build(message, descriptors, self._keeper)
            else:
                report["pid"] = nest.hatch(message, descriptors, self._filters, self._hooks)
        except OSError as error:
            report = {"op": channel.NOT_CLONED, "id": message["id"], "error": str(error)}
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(self._to_agent, report)

    def _start(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Make one instance. The agent, its parent, hears of it from here, and that it is ready from the clone."""
        report = {"op": channel.CLONED, "id": message["id"]}
        try:
            report["pid"] = self._use_spare(message, descriptors) or self._clone(lambda: (message, descriptors))
        except OSError as error:
            report = {"op": channel.NOT_CLONED, "id": message["id"], "error": str(error)}
        for descriptor in (*descriptors, *(self._entrances or ())):
            os.close(descriptor)
        self._entrances = None
        channel.send(self._to_agent, report)

    def _use_spare(self, message: dict[str, Any], descriptors: list[int]) -> int:
        """The spare's process id; 0 when there is none."""
        if self._spare is None:
            return 0
        pid, to_spare = self._spare
        self._spare = None
        with to_spare:
            try:
                channel.send(to_spare, message, descriptors)
            except OSError:
                return 0
        return pid

    def _clone(self, wait: _Wait) -> int:
        self._hooks.spared = True
        try:
            pid, entrances = clone_into(self._entrances or [])
        finally:
            self._hooks.spared = False  # in the clone, too
        if pid == 0:
            _become_instance(wait, entrances, self._to_agent, self._seal, self._resident)
        return pid

    def _clone_spare(self) -> tuple[int, socket.socket] | None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                pid = self._clone(lambda: _wait_warm(mine, theirs, self._resident))
            except OSError:
                mine.close()
                return None  # the next request will tell why
        return pid, mine


def clone_into(entrances: list[int]) -> tuple[int, list[int]]:
    """`kernel.clone`, and what the clone must enter by itself: nothing where it can be born in its group."""
    flags = isolate.NAMESPACES | kernel.CLONE_PARENT
    if entrances and stat.S_ISDIR(os.fstat(entrances[0]).st_mode):
        try:
            return kernel.clone(flags, entrances[0]), []
        except OSError as error:
            if error.errno not in kernel.CANNOT_CLONE_INTO:
                raise
    return kernel.clone(flags), entrances


def _become_instance(
    wait: _Wait,
    entrances: list[int],
    to_agent: socket.socket,
    seal: isolate.Seal,
    resident: residents.Resident,
) -> NoReturn:
    """In the clone: never returns, whatever happens. `wait` gives the request; None when there will be none."""
    try:
        error = None
        try:
            endpoint = isolate.prepare(entrances, alone=seal.alone)
            if seal.proc >= 0:
                os.stat("self/uid_map", dir_fd=seal.proc)  # the kernel makes what is looked at, which takes time
        except OSError as failure:
            error = failure
        received = wait()
        if received is None:
            os._exit(0)
        message, descriptors = received
        try:
            if error is not None:
                raise error
            if message["ahead"]:
                resident.warm(isolate.LAYERS)
            isolate.isolate(*_understand(message, descriptors), endpoint, to_agent, seal)
        except OSError as failure:
            channel.send(to_agent, {"op": channel.FAILED, "id": message["id"], "error": str(failure)})
            os._exit(1)
        gc.enable()
        control = socket.socket(fileno=isolate.CONTROL)
        if message["program"]:
            launcher.serve(control, lambda end: _be_managed(resident, end, message))
        resident.serve(control, message)
    finally:
        os._exit(1)


def _be_managed(resident: residents.Resident, control: socket.socket, message: dict[str, Any]) -> NoReturn:
    """What a launcher's fork is from here on. A launcher must not be looked into, a runtime reads its own /proc."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    resident.serve(control, {**message, "early": False})


def _wait_warm(
    templates: socket.socket, request: socket.socket, resident: residents.Resident
) -> tuple[dict[str, Any], list[int]] | None:
    templates.close()  # the copy of the template's end: the template's death must be noticed
    if not select.select([request], [], [], 0)[0]:
        resident.warm(isolate.LAYERS)
    return channel.receive(request)


def _understand(message: dict[str, Any], descriptors: list[int]) -> tuple[isolate.Plan, isolate.Descriptors]:
    control, output, *rest = descriptors
    given = isolate.Descriptors(control, output, rest[0] if rest else -1, rest[1:])
    names = ("id", "uid", "ephemeral_mb", "open_files", "label", "program", "rooted", "processes", "data_mb")
    return isolate.Plan(*(message[name] for name in names)), given
