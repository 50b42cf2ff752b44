"""A server as its terminal sees it: what it says when it is ready, stops or fails. Used by whatever process serves.

Imports nothing of the command line's libraries, which would stay in a server's memory for its whole life.
"""

import errno
import importlib
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from mayfly.app.directory import DataDirectory, ServerInfo
from mayfly.app.options import ServerOptions
from mayfly.cli.hints import with_data
from mayfly.errors import MayflyError

_CODES = {"bold": "1", "bold green": "1;32", "bold red": "1;31", "dim": "2", "yellow": "33", "/": "0"}
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_TAG = re.compile("|".join(rf"\[{name}\]" for name in _CODES))


def process_age_s() -> float:
    """Seconds since this process was started, imports included; 0 where the system does not tell."""
    try:
        started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return 0.0


def serve(options: ServerOptions, started: float) -> int:
    """Run a server until it is told to stop; its exit status. `started` is by the monotonic clock."""
    try:
        # It is most of what a server imports, and nothing that a process needs which only starts another one.
        server: Any = importlib.import_module("mayfly.app.server")
        server.serve(options, lambda info: announce(info, options.data, started), _say_stopping)
    except MayflyError as error:
        _say("[bold red]mayfly:[/] ", str(error), file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        where = error.filename or DataDirectory(options.data).root
        _say("[bold red]mayfly:[/] ", f"{where}: {error.strerror}", file=sys.stderr)
        return 1
    _say("stopped", file=sys.stderr)
    return 0


def announce(info: ServerInfo, data: Path, started: float) -> None:
    """Say that a server is ready, and what is to be known of it."""
    seconds = time.monotonic() - started
    _say(
        f"[bold green]Mayfly {info.version} is ready[/] at [bold]{info.url}[/] in {seconds:.1f} s [dim](data ",
        str(DataDirectory(data).root),
        f", isolation {info.isolation}; next: eval $(",
        with_data("mayfly env", data),
        "))[/]",
        file=sys.stdout,
    )
    if not info.listening.startswith(("127.", "::1", "localhost")):
        _say(
            f"[yellow]Listening on {info.listening}[/]: requests are plain HTTP; put a TLS proxy in front of it.",
            file=sys.stderr,
        )
    if info.isolation == "process":
        _say(
            "[yellow]Functions are not isolated[/]: they run as ordinary processes with your rights. "
            "For development only.",
            file=sys.stderr,
        )


def _say_stopping(under_way: int) -> None:
    if under_way:
        _say(
            f"stopping; {under_way} request(s) under way may finish; once more to end them now",
            file=sys.stderr,
        )
    else:
        _say("stopping", file=sys.stderr)


def _say(*parts: str, file: TextIO) -> None:
    """A line of alternating parts: words with tags for how they look, and text as it is."""
    plain = not file.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in {None, "dumb"}
    line = "".join(part if number % 2 else _styled(part, plain=plain) for number, part in enumerate(parts))
    try:
        print(line, file=file, flush=True)
    except OSError:  # nobody reads it any more, or its disk is full: no reason for a server to end
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), file.fileno())


def _styled(text: str, *, plain: bool) -> str:
    return _TAG.sub(lambda tag: "" if plain else f"\x1b[{_CODES[tag[0][1:-1]]}m", text)
