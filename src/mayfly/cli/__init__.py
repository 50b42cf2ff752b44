"""The command line. It knows services only over the wire, as any other client does.

Each module holds the commands of one subject; `main` puts them together. `connection` finds the server and its keys,
`output` decides how things are printed.
"""

from mayfly.cli.root import main

__all__ = ["main"]
