"""Compiles Python files below the current directory, and writes the results to stdout. Standard library only.

Runs in the interpreter that will run the functions, and only parses: nothing of a package is imported or executed. As
its parser is C code and what it reads is hostile, it is shut in before the first file: its root is the package, it has
no network and no user's rights, and may start nothing; nothing that it writes is trusted further than the function's
own sandbox. A server that is not root can take away less: the limits hold, files and network stay. Python 3.9 and
later.

Arguments: which part of the files, of how many parts, how many files of it to leave out, and where instances see them.
Output: for each file its path, then its bytecode, empty where there can be none; each preceded by its length (unsigned
32 bits, big-endian). The path is out before the file is looked at, so that who reads knows which file a compiler dies
of.
"""

import ctypes
import encodings
import importlib
import importlib._bootstrap_external as external
import importlib.util
import os
import resource
import struct
import sys
import warnings

NOBODY = 65534
MAX_SOURCE = 4 << 20
MEMORY = 2 << 30
CPU_S = 300
OPEN_FILES = 32
# What sources may say that they are written in, beyond UTF-8: modules of encodings that are loaded beforehand.
ENCODINGS = (
    "ascii",
    "latin_1",
    "iso8859_1",
    "iso8859_15",
    "cp1252",
    "utf_8_sig",
    "utf_16",
    "gbk",
    "shift_jis",
    "euc_jp",
)
_NO_NEW_PRIVILEGES = 38
_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x40000000  # mounts, host name, IPC, network


def shut_in() -> None:
    """Give up what is not needed, for good."""
    for name in ENCODINGS:
        importlib.import_module(f"encodings.{name}")
    # From here on the files that can be seen are the package's: none of them may ever be imported.
    encodings.__path__[:] = []
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        libc.unshare(_NEW_NAMESPACES)  # in a container that may not, the rest holds
        os.chroot(".")
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes to a pipe only
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def compiled(path: str, seen_at: str) -> bytes:
    """Bytecode that is never checked against its source: packages do not change, and packagers' dates mean nothing."""
    with open(path, "rb") as file:
        source = file.read(MAX_SOURCE + 1)
    if len(source) > MAX_SOURCE:
        raise ValueError("too large")
    code = compile(source, f"{seen_at}/{path}", "exec", dont_inherit=True)
    to_pyc = getattr(external, "_code_to_hash_pyc")  # noqa: B009 - what py_compile uses; no stub declares it
    return bytes(to_pyc(code, importlib.util.source_hash(source), False))


def sources() -> "list[str]":
    """All there are, in an order that is the same every time."""
    found = []
    for directory, subdirectories, names in os.walk("."):
        subdirectories[:] = sorted(name for name in subdirectories if name != "__pycache__")
        for name in sorted(names):
            path = os.path.normpath(os.path.join(directory, name))
            if name.endswith(".py") and not os.path.islink(path):
                found.append(path)
    return found


def put(part: bytes) -> None:
    sys.stdout.buffer.write(struct.pack(">I", len(part)) + part)
    sys.stdout.buffer.flush()


def main() -> None:
    """Compile what can be compiled; what cannot will say so when it is imported."""
    part, parts, left_out = (int(argument) for argument in sys.argv[1:4])
    seen_at = sys.argv[4]
    warnings.simplefilter("ignore")
    shut_in()
    for path in sources()[part::parts][left_out:]:
        put(os.fsencode(path))
        try:
            code = compiled(path, seen_at)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError, LookupError, OSError):
            code = b""
        put(code)


if __name__ == "__main__":
    main()
