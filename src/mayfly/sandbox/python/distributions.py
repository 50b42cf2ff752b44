"""Which top-level modules in a directory belong to installed distributions, and which are the function's own.

Installers leave a `*.dist-info` directory with a list of all files. A module that no list names counts as the
function's own: its init must run in every instance.
"""

from __future__ import annotations

import csv
import os

_MOST_BYTES = 16 << 20


def names_in(directories: tuple[str, ...]) -> set[str]:
    """Top-level names of the modules and packages that distributions in `directories` installed."""
    names: set[str] = set()
    for directory in directories:
        try:
            entries = os.listdir(directory)
        except OSError:
            continue
        for entry in entries:
            if entry.endswith(".dist-info"):
                names.update(_installed(f"{directory}/{entry}/RECORD"))
    return names


def _installed(record: str) -> set[str]:
    """Top-level names in one list of files; none when it cannot be read."""
    names = set()
    try:
        if os.path.getsize(record) > _MOST_BYTES:
            return set()
        with open(record, newline="", encoding="utf-8", errors="replace") as file:
            for row in csv.reader(file):
                top, _, rest = row[0].partition("/") if row else ("", "", "")
                if rest and top.isidentifier():
                    names.add(top)
                elif not rest and top.endswith((".py", ".so")):
                    names.add(top.partition(".")[0])
    except (OSError, csv.Error):
        return set()
    return names - {"", "__pycache__"}
