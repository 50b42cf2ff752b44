"""The data directory: where everything durable of one platform lives, and who runs on it.

One server a directory, held by an advisory lock that the kernel drops when the server dies, however it dies. Beside
the lock, `server.json` says how to reach the server; it is advice for the command line, never the truth.
"""

import contextlib
import fcntl
import json
import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mayfly.app.certificates import Certificates
from mayfly.errors import PlatformError

FRONTS_END_S = 10.0
LETTING_GO_S = 2.0


class DirectoryBusyError(PlatformError):
    """Another server runs on the directory."""

    def __init__(self, path: Path, server: "ServerInfo | None") -> None:
        where = f" (process {server.pid}, {server.url})" if server else ""
        super().__init__(f"Mayfly already runs on {path}{where}; stop it with `mayfly down`, or choose another --data")
        self.server = server


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """How to reach the server of a directory."""

    pid: int
    url: str  # for clients on this machine
    listening: str  # address and port
    region: str
    account: str
    isolation: str
    version: str
    started_at: float  # Unix seconds


class DirectoryMismatchError(PlatformError):
    """The directory holds the state of another account or region; the message says how to start on it."""


# What is in these is of nobody else, whatever the mode of the directory around them.
_PRIVATE = ("blobs", "code", "images", "journals", "layers", "sandbox", "sandboxes")


class DataDirectory:
    """Paths below one directory, made with mode 0700 so that nobody else reads what is in them.

    The directory itself may be somebody's who made it readable for all: what is in it is not.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.database = self.root / "mayfly.db"
        self.blobs = self.root / "blobs"
        self.journals = self.root / "journals"
        self.code = self.root / "code"
        self.sandbox = self.root / "sandbox"
        self.oci = self.root / "oci"
        self.runtimes = self.root / "runtimes"  # what `mayfly runtime install` puts there
        self.interpreters = self.root / "interpreters.json"  # what they said of themselves
        self.certificates = Certificates(self.root)
        self.server_log = self.root / "server.log"
        self._home = self.root / "home.json"
        self._info = self.root / "server.json"
        self._lock = self.root / "lock"
        self._fronts = self.root / "fronts.lock"
        self._held: int | None = None

    def make(self) -> None:
        """Make what is missing; PlatformError when that is not allowed."""
        with self._usable():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in _PRIVATE:
                _make_private(self.root / name)
        mode = self.root.stat().st_mode & 0o777
        if mode & 0o022:
            raise PlatformError(
                f"{self.root} may be written by others (mode {mode:o}), who could replace its keys; "
                f"run: chmod 700 {shlex.quote(str(self.root))}"
            )

    def settle(self, account: str, region: str) -> None:
        """Hold on to the account and region of the first start; `DirectoryMismatchError` when they are others now.

        Names of both are part of what is stored: under others, half of it could not be found.
        """
        wanted = {"account": account, "region": region}
        with self._usable():
            if not self._home.exists():
                _write(self._home, json.dumps(wanted) + "\n")
            text = self._home.read_text()
        try:
            held = {name: json.loads(text)[name] for name in wanted}
        except (ValueError, TypeError, KeyError) as error:
            raise PlatformError(
                f"{self._home} does not say of which account and region the state of {self.root} is; "
                "restore it from a backup, or remove it to start with the ones that were asked for"
            ) from error
        for name, value in wanted.items():
            if held[name] != value:
                raise DirectoryMismatchError(
                    f"{self.root} holds the state of {name} {held[name]}, not of {value}; "
                    f"start with --{name} {held[name]}, or on another --data"
                )

    def acquire(self) -> None:
        """Become the server of this directory until `release` or death; `DirectoryBusyError`.

        Where the announced server is dead, whoever holds the lock is about to let go of it: a `running` elsewhere, or a
        child that a killed server had forked a moment before.
        """
        with self._usable():
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + LETTING_GO_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                server = self.server()
                if (server is not None and lives(server.pid)) or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise DirectoryBusyError(self.root, server) from error
                time.sleep(0.02)
            else:
                self._held = descriptor
                return

    def await_fronts(self) -> int:
        """Wait until no front process of an earlier server lives; what they inherit to show that they do.

        They end when their server does, within moments. `PlatformError` when they do not.
        """
        with self._usable():
            descriptor = os.open(self._fronts, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + FRONTS_END_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise PlatformError(
                        f"front processes of an earlier server on {self.root} still run; end them and try again"
                    ) from None
                time.sleep(0.02)
            else:
                return descriptor

    def release(self) -> None:
        """Stop being the server; idempotent."""
        if self._held is not None:
            self._info.unlink(missing_ok=True)
            os.close(self._held)
            self._held = None

    def announce(self, info: ServerInfo) -> None:
        """Say how the server is reached."""
        with self._usable():
            _write(self._info, json.dumps(asdict(info), indent=2) + "\n")

    def server(self) -> ServerInfo | None:
        """What the last server announced, running or not; None when there was none, or it ended cleanly."""
        try:
            return ServerInfo(**json.loads(self._info.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def running(self) -> ServerInfo | None:
        """The server that holds the directory now, if one does and has announced itself; `PlatformError` when that may
        not be known, because the directory is another user's."""
        with self._usable():
            try:
                descriptor = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self.server()
        finally:
            os.close(descriptor)
        return None

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        """What the disk or its owner has against it, as the platform's own."""
        try:
            yield
        except OSError as error:
            where = f" ({error.filename})" if error.filename not in (None, str(self.root)) else ""
            raise PlatformError(f"cannot use {self.root} as data directory: {error.strerror}{where}") from error


def lives(pid: int) -> bool:
    """Whether there is a process of this id, its own or another's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)


def _write(path: Path, text: str) -> None:
    """Replace the file at `path` as a whole; durable on return."""
    draft = path.with_suffix(".tmp")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
