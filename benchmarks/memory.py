"""What processes take of a machine's memory, by the kernel's account of their mappings.

The proportional set size (PSS) counts a page in parts for those who have it. Anonymous pages are shared within a
platform alone; pages of files (the interpreter, libraries) with every other program of the machine that has them, so
the PSS of a platform is 10 MiB less while other Pythons run beside it. `alone_mb` is what it would be without them.
"""

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ ([0-9a-f]+) (\S+) (\d+)")


@dataclass(frozen=True)
class Mapping:
    """One mapping of one process; sizes in kB."""

    file: tuple[str, str, str] | None  # device, inode and offset; None: of no file
    resident: int
    proportional: int
    anonymous: int


def mappings(smaps: str) -> list[Mapping]:
    """What /proc/PID/smaps says."""
    found: list[Mapping] = []
    file: tuple[str, str, str] | None = None
    sizes: dict[str, int] = {}
    for line in smaps.splitlines():
        begins = _MAPPING.match(line)
        if begins is not None:
            offset, device, inode = begins.groups()
            file, sizes = (device, inode, offset) if inode != "0" else None, {}
            continue
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            sizes[name] = int(value.split()[0])
        if name == "VmFlags":
            found.append(Mapping(file, sizes["Rss"], sizes["Pss"], sizes["Anonymous"]))
    return found


def alone_kb(processes: Iterable[list[Mapping]]) -> float:
    """The processes' memory where nobody else has any of it: each page of a file once, however many have it."""
    anonymous, files = 0.0, dict[tuple[str, str, str], int]()
    for one in processes:
        for mapping in one:
            if mapping.file is None:
                anonymous += mapping.proportional
                continue
            of_file = mapping.resident - mapping.anonymous
            files[mapping.file] = max(files.get(mapping.file, 0), of_file)
            # What was written to, in parts where the whole mapping was.
            anonymous += mapping.anonymous if of_file else mapping.proportional
    return anonymous + sum(files.values())


def alone_mb(pids: Iterable[int]) -> float:
    """`alone_kb` of processes that run, in MiB."""
    read: list[list[Mapping]] = []
    for pid in pids:
        with contextlib.suppress(OSError):  # it is gone
            read.append(mappings(Path(f"/proc/{pid}/smaps").read_text()))
    return alone_kb(read) / 1024
