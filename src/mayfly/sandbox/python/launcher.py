"""What is in a sandbox in the place of a runtime when it holds programs: starts them, and tells how they end.

Speaks the frames of `sandbox.frames` with the server. At the namespace level it is the sandbox's first process, a fork
of the platform's own template: all of its code is in memory, so it works in any file system, and imports nothing. It
buries whatever is left without a parent. It ends when the control socket closes, and everything in the sandbox with it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from typing import Any, NoReturn

from mayfly.sandbox import frames
from mayfly.sandbox.python import files, managed, warm

_CHUNK = 1 << 16
_STREAMS = 3  # standard input, output and error
_LAST_READS = 16  # a pipe holds as much
# Python ignores some, and so may have who started Mayfly; programs expect all to be as usual.
_USUAL = sorted({*range(1, 32)} & {*signal.valid_signals()} - {signal.SIGKILL, signal.SIGSTOP})


def serve(control: socket.socket, runtime: managed.Serve | None = None) -> NoReturn:
    """Do what the server at the other end of `control` says, until the end. `runtime`: how a fork becomes the managed
    runtime of what this sandbox is made for; None: it has none."""
    try:
        Launcher(control, runtime=runtime).run()
    finally:
        os._exit(0)


def alone(descriptor: int, lifeline: int) -> NoReturn:
    """The launcher as a process of its own, at the `process` level; `lifeline` is that of `alone.main`."""
    os.set_inheritable(lifeline, False)
    threading.Thread(target=_follow, args=(lifeline,), name="lifeline", daemon=True).start()
    os.umask(0o022)
    serve(socket.socket(fileno=descriptor))


def _follow(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


class Launcher:
    """The programs of one sandbox."""

    def __init__(
        self, control: socket.socket, loaded: warm.Warm | None = None, runtime: managed.Serve | None = None
    ) -> None:
        """`loaded`: what this process has for programs that are to be forks of it; `runtime`: see `serve`."""
        control.setblocking(True)
        control.set_inheritable(False)
        self._control = control
        self._loaded = loaded
        self._runtime = runtime
        self._decoder = frames.Decoder()
        self._numbers: dict[int, int] = {}  # of the programs that run, by process id
        self._descriptors: list[int] = []  # that came, and were not used yet
        self._relays: dict[int, int] = {}  # numbers of programs, by the end of the pipe that they print into
        self._watched = select.poll()

    def run(self) -> None:
        alarm, waker = socket.socketpair()
        for end in (alarm, waker):
            end.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        watched = self._watched
        watched.register(self._control, select.POLLIN)
        watched.register(alarm, select.POLLIN)
        with contextlib.suppress(ConnectionError):  # the server is gone
            while True:
                ready = {descriptor for descriptor, _ in watched.poll()}
                for relay in ready & self._relays.keys():
                    self._pass_on(relay)
                if alarm.fileno() in ready:
                    alarm.recv(_CHUNK)
                    self._bury()
                if self._control.fileno() in ready:
                    data, came, _, _ = socket.recv_fds(self._control, _CHUNK, _STREAMS)
                    for descriptor in came:
                        os.set_inheritable(descriptor, False)
                    self._descriptors += came
                    if not data:
                        return
                    for frame in self._decoder.feed(data):
                        self._do(frame)

    def _do(self, frame: frames.Frame) -> None:
        if frame.kind == frames.LAUNCH:
            self._launch(frame)
        elif frame.kind == frames.COPY:
            self._copy(frame)
        elif frame.kind == frames.SIGNAL:
            for pid, number in self._numbers.items():
                if number == frame.number:
                    os.kill(pid, frame.meta["signal"])

    def _launch(self, frame: frames.Frame) -> None:
        meta = frame.meta
        argv, environment = meta["argv"], meta["environment"]
        streams = self._streams() if meta.get("streams") else []
        step = {"step": "directory"}
        try:
            os.chdir(meta["directory"])
            step = {}
            if self._loaded is not None and streams and argv[0] == warm.NAME:
                self._fork(frame, self._loaded, streams)
                return
            if self._runtime is not None and argv[0] == frames.MANAGED:
                self._fork_runtime(frame, self._runtime)
                return
            path = _found(argv[0], environment.get("PATH", os.defpath))
            # It has this process's output and no other of its descriptors, which are closed when a program begins.
            if streams:
                pid = _spawn_on(streams, path, argv, environment)
            else:
                pid = self._spawn(path, argv, environment, frame.number if meta.get("relay") else 0)
        except (OSError, ValueError) as error:  # ValueError: a NUL, or a variable's name with "=" in it
            number = getattr(error, "errno", None) or 22
            why = os.strerror(number) if isinstance(error, OSError) else str(error)
            self._say(frames.LAUNCH_FAILED, frame.number, {"error": why, "errno": number, **step})
            return
        finally:
            for end in streams:
                os.close(end)
        self._numbers[pid] = frame.number
        self._say(frames.LAUNCHED, frame.number, {"pid": pid})

    def _fork(self, frame: frames.Frame, loaded: warm.Warm, streams: list[int]) -> None:
        meta = frame.meta
        pid = os.fork()
        if pid == 0:
            warm.become(loaded, meta["argv"], meta["environment"], meta["directory"], streams)
        self._numbers[pid] = frame.number
        self._say(frames.LAUNCHED, frame.number, {"pid": pid})

    def _fork_runtime(self, frame: frames.Frame, runtime: managed.Serve) -> None:
        meta = frame.meta
        pid = os.fork()
        if pid == 0:
            managed.become(runtime, meta["environment"], meta["directory"], meta["argv"][1:])
        self._numbers[pid] = frame.number
        self._say(frames.LAUNCHED, frame.number, {"pid": pid})

    def _streams(self) -> list[int]:
        """The next three descriptors that came: they are this object's."""
        streams, self._descriptors = self._descriptors[:_STREAMS], self._descriptors[_STREAMS:]
        return streams

    def _copy(self, frame: frames.Frame) -> None:
        meta, streams = frame.meta, self._streams()
        pid = os.fork()
        if pid == 0:
            _be_copier(meta, streams)
        for end in streams:
            os.close(end)
        self._numbers[pid] = frame.number
        self._say(frames.LAUNCHED, frame.number, {"pid": pid})

    def _spawn(self, path: str, argv: list[str], environment: dict[str, str], relayed: int) -> int:
        """`relayed`: the number of a program whose output is to be passed on, else 0."""
        if not relayed:
            return os.posix_spawn(path, argv, environment, setsigdef=_USUAL, setsigmask=[])
        mine, theirs = os.pipe()
        try:
            actions = [(os.POSIX_SPAWN_DUP2, theirs, 1), (os.POSIX_SPAWN_DUP2, theirs, 2)]
            pid = os.posix_spawn(path, argv, environment, file_actions=actions, setsigdef=_USUAL, setsigmask=[])
        except BaseException:
            os.close(mine)
            raise
        finally:
            os.close(theirs)
        os.set_blocking(mine, False)
        self._relays[mine] = relayed
        self._watched.register(mine, select.POLLIN)
        return pid

    def _pass_on(self, relay: int) -> bool:
        """Some of what a program printed; whether there was any."""
        try:
            data = os.read(relay, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._watched.unregister(relay)
            os.close(relay)
            del self._relays[relay]
            return False
        self._control.sendall(frames.encode(frames.OUTPUT, None, data, self._relays[relay]))
        return True

    def _bury(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                number = self._numbers.pop(pid, None)
                if number is None:
                    continue  # it was left behind by its parent
                for relay in [relay for relay, owner in self._relays.items() if owner == number]:
                    for _ in range(_LAST_READS):  # whoever has its end of the pipe, too, may print on
                        if not self._pass_on(relay):
                            break
                killed = os.WIFSIGNALED(status)
                how: dict[str, object] = {"signal": os.WTERMSIG(status)} if killed else {"code": os.WEXITSTATUS(status)}
                self._say(frames.ENDED, number, how)

    def _say(self, kind: int, number: int, meta: dict[str, object]) -> None:
        self._control.sendall(frames.encode(kind, meta, b"", number))


def _spawn_on(streams: list[int], path: str, argv: list[str], environment: dict[str, str]) -> int:
    """Start a program with these as its standard input, output and error."""
    actions = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(streams)]
    return os.posix_spawn(path, argv, environment, file_actions=actions, setsigdef=_USUAL, setsigmask=[])


def _be_copier(meta: dict[str, Any], streams: list[int]) -> NoReturn:
    """In a fork: copy, and end."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number, end in enumerate(streams):
            os.dup2(end, number)
        os.closerange(_STREAMS, 256)
        if "put" in meta:
            with open(0, "rb") as source:
                status = files.receive(source, meta["put"])
        else:
            with open(1, "wb") as into:
                files.send(into, meta["get"])
            status = 0
    finally:
        os._exit(status)


def _found(name: str, path: str) -> str:
    """The file of a program that is named without a directory."""
    if "/" in name:
        return name
    for directory in path.split(os.pathsep):
        place = os.path.join(directory, name)
        if os.access(place, os.X_OK) and not os.path.isdir(place):
            return place
    raise FileNotFoundError(2, os.strerror(2), name)
