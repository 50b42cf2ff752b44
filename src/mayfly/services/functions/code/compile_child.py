"""Compiles every Python file below the current directory, and writes the results to stdout. Standard library only.

Runs in the interpreter that will run the functions, as an unprivileged process with tight limits: what it reads is
hostile, and nothing that it writes is trusted further than the function's own sandbox. Python 3.9 and later.

Output: for each file its path and its bytecode, each preceded by its length (unsigned 32 bits, big-endian).
"""

import importlib._bootstrap_external as external
import importlib.util
import os
import resource
import struct
import sys

TASK_ROOT = "/var/task"
NOBODY = 65534
MAX_SOURCE = 4 << 20
MEMORY = 2 << 30
CPU_S = 300


def limit() -> None:
    """Give up what is not needed, for good."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes to a pipe only
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def compiled(path: str) -> bytes:
    """Bytecode that is never checked against its source: packages do not change, and packagers' dates mean nothing."""
    with open(path, "rb") as file:
        source = file.read(MAX_SOURCE + 1)
    if len(source) > MAX_SOURCE:
        raise ValueError("too large")
    code = compile(source, f"{TASK_ROOT}/{path}", "exec", dont_inherit=True)
    to_pyc = getattr(external, "_code_to_hash_pyc")  # noqa: B009 - what py_compile uses; no stub declares it
    return bytes(to_pyc(code, importlib.util.source_hash(source), False))


def main() -> None:
    """Compile what can be compiled; what cannot will say so when it is imported."""
    limit()
    for directory, subdirectories, names in os.walk("."):
        subdirectories[:] = sorted(name for name in subdirectories if name != "__pycache__")
        for name in sorted(names):
            path = os.path.normpath(os.path.join(directory, name))
            if not name.endswith(".py") or os.path.islink(path):
                continue
            try:
                code = compiled(path)
                encoded = path.encode()
            except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError, OSError):
                continue
            sys.stdout.buffer.write(struct.pack(">I", len(encoded)) + encoded + struct.pack(">I", len(code)) + code)


if __name__ == "__main__":
    main()
