"""`python …` without starting a Python: a fork of a process that has loaded modules already becomes the program.

It sees what a program sees that was just started: its own variables, arguments, streams, `__main__`, signals and random
numbers, and the modules that are loaded as if it had imported them. Used by `launcher`, in a fork of its process.
"""

from __future__ import annotations

import atexit
import io
import logging
import os
import random
import runpy
import signal
import site
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

NAME = "python"  # what the program is called that is not looked for in PATH
_USAGE, _INTERRUPTED = 2, 130
_HELP = "python: a warm one takes -c CODE, -m MODULE or FILE, and their arguments; others are in /usr/bin\n"


class Warm(NamedTuple):
    """What the process has that forks it."""

    renew: Callable[[], None]  # draws new random numbers, in a fork
    kept: frozenset[int]  # descriptors that loaded modules have open


def become(
    warm: Warm, argv: Sequence[str], environment: Mapping[str, str], directory: str, streams: Sequence[int]
) -> NoReturn:
    """In a fork: run the program, and end as a Python would."""
    status = 1
    try:
        os.chdir(directory)
        _be_new(warm, environment, streams)
        status = _run(argv[1:])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(_ended(status))


def _be_new(warm: Warm, environment: Mapping[str, str], streams: Sequence[int]) -> None:
    signal.set_wakeup_fd(-1)
    for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(each, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for number, end in enumerate(streams):
        os.dup2(end, number)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in warm.kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the listing's own
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    random.seed()
    warm.renew()
    sys.stdin = sys.__stdin__ = _stream(0, "r", "surrogateescape")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "w", "surrogateescape")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "w", "backslashreplace", buffering=1)  # type: ignore[misc]
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    site.setquit()


def _stream(number: int, mode: str, errors: str, buffering: int = -1) -> io.TextIOWrapper:
    made = open(number, mode, buffering, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
    assert isinstance(made, io.TextIOWrapper)
    return made


def _run(arguments: Sequence[str]) -> int:
    """As `python ARGUMENTS` does it; its exit status."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        if arguments[:1] == ["-m"] and len(arguments) > 1:
            sys.argv = ["-m", *arguments[2:]]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
            return 0
        if arguments[:1] == ["-c"] and len(arguments) > 1:
            source: str | bytes = arguments[1]
            name, sys.argv, first = "<string>", ["-c", *arguments[2:]], ""
        elif arguments and not arguments[0].startswith("-"):
            source, name, sys.argv = _read(arguments[0]), arguments[0], list(arguments)
            first, main.__file__ = os.path.dirname(os.path.realpath(arguments[0])), os.path.abspath(arguments[0])
        elif not arguments or arguments[0] == "-":
            source, name, sys.argv, first = sys.stdin.read(), "<stdin>", list(arguments) or [""], ""
        else:
            sys.stderr.write(_HELP)
            return _USAGE
        sys.path.insert(0, first)
        code: Any = compile(source, name, "exec", dont_inherit=True)
        exec(code, vars(main))  # noqa: S102  # that is what it is for
    except SystemExit as leaving:
        return _status(leaving.code)
    except KeyboardInterrupt:
        traceback.print_exc()
        return _INTERRUPTED
    except BaseException as error:  # whatever a program may raise ends it
        _tell(error)
        return 1
    return 0


def _read(path: str) -> bytes | str:
    """The text of a program, in the encoding that it says."""
    with open(path, "rb") as file:
        return file.read()


def _tell(error: BaseException) -> None:
    """As the interpreter would, from the program's first line on."""
    trace, ours = error.__traceback__, (_tell.__code__.co_filename, runpy.run_module.__code__.co_filename)
    while trace is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def _status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _ended(status: int) -> int:
    """What an interpreter does last: wait for threads, call what wants to be called, write what was printed."""
    for last in (getattr(threading, "_shutdown", None), getattr(atexit, "_run_exitfuncs", None)):
        try:
            if last is not None:
                last()
        except BaseException:
            traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 120  # as Python has it
    return status
