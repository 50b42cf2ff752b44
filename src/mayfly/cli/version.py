"""`mayfly version`."""

import platform

from mayfly import __version__
from mayfly.cli.options import JsonOption
from mayfly.cli.output import console, print_json


def version(json_output: JsonOption = False) -> None:
    """Print the version."""
    facts = {"mayfly": __version__, "python": platform.python_version(), "system": platform.platform()}
    if json_output:
        print_json(facts)
    else:
        console.print(f"mayfly {__version__} [dim](Python {facts['python']}, {facts['system']})[/]")
