"""A nest: the place from which instances of one version are forked with its packages, or its init, already loaded.

What runs in a shared template is the user's, so it must not hold privileges, and yet instances that are forked from it
need namespaces of their own. The work is divided so that hostile code never makes a namespace or a mount:

    agent (root) ─── interpreter template (root, no user code)
                        │ clones, as children of the agent
        ┌───────────────┴────────────────┐
      keeper (trusted)                 shared template (hostile)
        pid 1 of the nest                imports packages, runs init
        all capabilities, but only in    CAP_SYS_ADMIN and CAP_SYS_CHROOT in the nest's user namespace,
        the nest's user namespace        and a filter that refuses all they allow but setns
        │ clones                         │ clones, as children of the agent
      room (trusted)                   instance
        pid 1 of one instance's          enters the namespaces of a room, drops everything, and is from then on
        namespaces, mounts, listens,     what any other instance is
        buries the dead

The nest has a user namespace in which two unprivileged user ids of the host exist, a pid namespace in which nothing
but the nest can be named, a network with nothing but loopback, and a read-only file system. All a hostile template can
do with its two capabilities is to enter namespaces of its own nest, that is of instances of its own version.

`build` and `hatch` are called by the interpreter template; the rest runs in their clones.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import signal
import socket
import sys
from typing import Any, BinaryIO, NamedTuple, NoReturn

from mayfly.sandbox.agent import channel, forks, isolate, keeper, kernel, powers, root, shared

_CLONE_NEWCGROUP = 0x02000000
# What a shared template takes from the keeper; its pid namespace it was born in.
_ENTERED = kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
REPORT, FORKS = 3, 4  # descriptors of a shared template


class Filters(NamedTuple):
    """The programs for code in a nest."""

    shared: kernel.SystemCallFilter  # a function's, except that setns is allowed
    denial: kernel.SystemCallFilter  # refuses setns; instances add it


def pack_keeper() -> BinaryIO:
    """The code of the keeper's program, in memory; while Mayfly's files can be seen."""
    code = [(name, sys.modules[name].__loader__.get_code(name)) for name in keeper.MODULES]  # type: ignore[union-attr]
    file = open(os.memfd_create("keeper", os.MFD_CLOEXEC), "wb")  # noqa: SIM115 (for as long as the template lives)
    marshal.dump(code, file)
    file.flush()
    return file


def build(message: dict[str, Any], descriptors: list[int], code: BinaryIO) -> int:
    """Clone the keeper of a new nest, to run `pack_keeper`'s `code`; its process id. `descriptors`: its socket, and
    the function's code and layers."""
    pid = kernel.clone(isolate.NAMESPACES | kernel.CLONE_PARENT)
    if pid == 0:
        _alone(lambda: _keep(message, descriptors, code))
    return pid


def hatch(message: dict[str, Any], descriptors: list[int], filters: Filters, hooks: forks.Hooks) -> int:
    """Clone the shared template of a nest; its process id.

    `descriptors`: a pidfd of the keeper, the socket for forks, that for reports, and the doors of its
    group.
    """
    keepers = descriptors[0]
    myself = os.pidfd_open(os.getpid())
    try:
        powers.enter(keepers, kernel.CLONE_NEWPID)
        try:
            pid = kernel.clone(kernel.CLONE_PARENT)
            if pid == 0:
                _alone(lambda: _share(message, descriptors, filters, hooks))
            return pid
        finally:
            powers.enter(myself, kernel.CLONE_NEWPID)
    finally:
        os.close(myself)


def _alone(run: Any) -> NoReturn:
    """In a clone: never return, whatever happens."""
    try:
        run()
    finally:
        os._exit(1)


# The keeper.


def _keep(message: dict[str, Any], descriptors: list[int], code: BinaryIO) -> None:
    """Build the nest as root, give root up, and become the program that makes rooms."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    to_agent = socket.socket(fileno=descriptors[0])
    try:
        endpoint = isolate.prepare([])
        isolate.mount_own(message["ephemeral_mb"], descriptors[1], descriptors[2:])
        kernel.mount("proc", root.WHOLE_PROC, "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
        _skip_a_process_id()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans are the keeper's before its program runs
        kernel.unshare(kernel.CLONE_NEWUSER)
        channel.send(to_agent, {"op": channel.NESTLING}, [endpoint.fileno()])
        endpoint.close()
        if channel.receive(to_agent) is None:  # the agent has written the map of user ids
            return
        powers.become(message["keeper_uid"])
        kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
        powers.inherit(keeper.CAPABILITIES)
        channel.send(to_agent, {"op": channel.KEPT})
    except OSError as error:
        channel.send(to_agent, {"op": channel.FAILED, "error": str(error)})
        return
    # Both first out of the way of the numbers that they will have.
    away = [fcntl.fcntl(one, fcntl.F_DUPFD, isolate.CONTROL + 2) for one in (to_agent.fileno(), code.fileno())]
    for number, descriptor in enumerate(away, isolate.CONTROL):
        os.dup2(descriptor, number)
    kernel.close_from(isolate.CONTROL + len(away))
    os.execve(sys.executable, [sys.executable, "-I", "-S", "-X", "utf8", "-c", keeper.PROGRAM], {})


def _skip_a_process_id() -> None:
    """No process of the nest may have the number that instances have in their own namespaces (2): libraries tell by
    it that they were forked, and reseed their random numbers."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


# The shared template.


def _share(message: dict[str, Any], descriptors: list[int], filters: Filters, hooks: forks.Hooks) -> None:
    """Become an unprivileged process of the nest, and then whatever the packages make of it."""
    keepers, requests, report, *entrances = descriptors
    numbers = range(REPORT, REPORT + 2 + len(entrances))
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    for entrance in entrances:
        os.write(entrance, b"0")
    kernel.unshare(_CLONE_NEWCGROUP)
    powers.enter(keepers, _ENTERED)
    os.setsid()
    os.umask(0o022)
    isolate.limit_resources(message["open_files"])
    powers.become(message["uid"])
    powers.empty_bounding_set()
    powers.keep_capabilities(powers.CAP_SYS_ADMIN, powers.CAP_SYS_CHROOT)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    kernel.prctl_name(f"tp:{message['label']}")
    os.chdir(isolate.TASK_ROOT)
    # All first out of the way of the numbers that they will have.
    away = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, numbers.stop) for one in (report, requests, *entrances)]
    for number, descriptor in zip(numbers, away):  # noqa: B905 (runs on Python 3.9 too)
        os.dup2(descriptor, number, inheritable=False)
    kernel.close_from(numbers.stop)
    report_socket, forks_socket = socket.socket(fileno=REPORT), socket.socket(fileno=FORKS)
    ears = filters.shared.install_heard()  # of denials; no code of the user may have it, here or in a fork
    channel.send(forks_socket, {"op": channel.HEARD}, [ears] if ears >= 0 else [])
    kernel.close_from(numbers.stop)
    shared.serve(report_socket, forks_socket, list(numbers[2:]), filters.denial, message["label"], hooks)
