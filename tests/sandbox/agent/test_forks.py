"""What a template spares its clones, and nobody else."""

import json
import subprocess
from typing import Any

from mayfly.sandbox import interpreters, parcel

# Prints, by the way of forking: whether the child has locks of its own, and random numbers of its own.
PROGRAM = """
import json, os, sys; sys.path.insert(0, sys.argv[1])
from mayfly.sandbox.agent import forks
genuine, hooks = os.register_at_fork, forks.Hooks()
hooks.gather()
import concurrent.futures.thread, logging, random, threading
hooks.release()
random.seed(1)
numbers = random.Random(1).random()
told = []
os.register_at_fork(before=lambda: told.append("before"), after_in_child=lambda: told.append("after"))

def forked():
    reading, writing = os.pipe()
    lock = threading._active_limbo_lock
    if os.fork() == 0:
        found = threading._active_limbo_lock is not lock, random.random() != numbers, told, logging._lock.acquire(False)
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.wait()
    return json.loads(os.read(reading, 1000))

hooks.spared = True
spared = forked()
hooks.spared = False
told.clear()
print(json.dumps([spared, forked(), os.register_at_fork is genuine]))
"""


def outcome() -> Any:
    python = interpreters.current()
    command = [str(python.path), "-I", "-S", "-c", PROGRAM, str(parcel.source())]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def test_a_clone_keeps_the_locks_that_nobody_held_and_has_everything_else_of_a_fork() -> None:
    (new_locks, own_numbers, told, free), _, _ = outcome()
    threads_are_gathered = interpreters.current().version < (3, 13)
    assert (new_locks, own_numbers, told, free) == (not threads_are_gathered, True, ["before", "after"], True)


def test_any_other_fork_has_all_that_modules_registered() -> None:
    _, (new_locks, own_numbers, told, free), genuine = outcome()
    assert (new_locks, own_numbers, told, free) == (True, True, ["before", "after"], True)
    assert genuine is True
