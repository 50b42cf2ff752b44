"""What interpreters said of themselves, kept from one start of a server to the next.

To start each of a machine's interpreters only to hear its version takes some tenths of a second of its processors, and
the answer stays the same as long as the file does. An answer is kept only if it came from that very file: a shim of a
version manager says something else tomorrow. Refusals are not kept: they may be a slow machine's.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from mayfly.sandbox.api import Interpreter, Language

Probe = Callable[[Path], Interpreter | None]


class _Stamp(msgspec.Struct, frozen=True):
    """What changes when a file does."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int


class _Answer(msgspec.Struct, frozen=True):
    stamp: _Stamp
    version: tuple[int, int, int]
    prefix: str
    language: Language


class Answers:
    """Those of one data directory. Probes may be asked from several threads."""

    def __init__(self, file: Path) -> None:
        """What `file` holds; nothing where it cannot be read or understood."""
        self._file = file
        self._heard: dict[str, _Answer] = {}  # by path, those asked for since
        try:
            self._kept = msgspec.json.decode(file.read_bytes(), type=dict[str, _Answer])
        except (OSError, msgspec.DecodeError):
            self._kept = {}

    def probe(self, ask: Probe) -> Probe:
        """`ask`, but of those files only that were not asked before."""

        def probe(executable: Path) -> Interpreter | None:
            stamp = _stamp(executable)
            answer = self._kept.get(str(executable))
            if answer is None or answer.stamp != stamp:
                found = ask(executable)
                if found is not None and stamp is not None and found.path == executable:
                    self._heard[str(executable)] = _Answer(stamp, found.version, str(found.prefix), found.language)
                return found
            self._heard[str(executable)] = answer
            return Interpreter(answer.version, executable, Path(answer.prefix), answer.language)

        return probe

    def keep(self) -> None:
        """Write down what was heard, and nothing else, if that is news. A directory that cannot be written to is left
        as it is."""
        if self._heard == self._kept:
            return
        try:
            with tempfile.NamedTemporaryFile(dir=self._file.parent, delete=False) as file:
                file.write(msgspec.json.encode(self._heard))
            os.replace(file.name, self._file)
        except OSError:
            return
        self._kept = dict(self._heard)


def _stamp(executable: Path) -> _Stamp | None:
    try:
        found = executable.stat()
    except OSError:
        return None
    return _Stamp(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
