"""The data directory in what the command line says: for a server, too, which has none of its libraries."""

import shlex
from pathlib import Path

DEFAULT_DATA = Path("~/.mayfly")


def with_data(command: str, data: Path) -> str:
    """`command` as it must be typed for a data directory: with --data unless that is the default one."""
    directory = data.expanduser().absolute()
    return command if directory == DEFAULT_DATA.expanduser() else f"{command} --data {shlex.quote(str(directory))}"
