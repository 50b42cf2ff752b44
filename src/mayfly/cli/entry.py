"""Where the `mayfly` command begins, before it is known what is needed for it.

A server has no use for what reads its command line: typer, rich and pydantic took 12 MB of it for as long as it ran,
and half a second before it began to import itself. So a child reads the command line of `mayfly up`, says what there is
to say of it, and sends the options, while this process imports the server that it becomes. All else is the command
line's, in this process.
"""

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

OPTIONS_TO = "--options-to"  # of `mayfly up`, unseen: where a child writes the options to, a descriptor
_BY_THE_COMMAND_LINE = (OPTIONS_TO, "--help", "-h", "--detach", "-d")
_INTERRUPTED = 130  # the exit status of what Ctrl-C ended


def main() -> None:
    """Entry point of the `mayfly` executable."""
    _open_standard_streams()
    arguments = sys.argv[1:]
    if arguments[:1] == ["up"] and not any(each.startswith(_BY_THE_COMMAND_LINE) for each in arguments):
        _become_server(arguments)
    command_line: Any = importlib.import_module("mayfly.cli.root")
    command_line.main()


def _open_standard_streams() -> None:
    """What was closed by who started this (`>&-`) leads nowhere: else the next file that is opened, a database or a
    socket, would take its number, and get what is printed."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            os.set_inheritable(descriptor, True)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # for good


def _become_server(arguments: Sequence[str]) -> NoReturn:
    try:
        reading, writing = os.pipe()
        with open(reading, "rb") as options:
            # -P: nothing from this directory
            command = [sys.executable, "-P", "-m", "mayfly", *arguments, f"{OPTIONS_TO}={writing}"]
            child = subprocess.Popen(command, pass_fds=(writing,))
            os.close(writing)
            served: Any = importlib.import_module("mayfly.cli.served")
            started = time.monotonic() - served.process_age_s()
            handover: Any = importlib.import_module("mayfly.cli.handover")
            importlib.import_module("mayfly.app.server")
            said = options.read()
        status = child.wait()
        if status or not said:
            sys.exit(status if status >= 0 else 128 - status)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    sys.exit(served.serve(handover.unpacked(said), started))
