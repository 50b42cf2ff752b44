"""Options that many commands share, and what hints say of them."""

import os
import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DATA = Path("~/.mayfly")
DataOption = Annotated[
    Path, typer.Option("--data", envvar="MAYFLY_DATA", help="Data directory of the platform.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def with_data(command: str, data: Path) -> str:
    """`command` as it must be typed for a data directory: with --data unless that is the default one."""
    directory = data.expanduser().absolute()
    return command if directory == DEFAULT_DATA.expanduser() else f"{command} --data {shlex.quote(str(directory))}"


def process_age_s() -> float:
    """Seconds since this process was started, imports included; 0 where the system does not tell."""
    try:
        started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return 0.0
