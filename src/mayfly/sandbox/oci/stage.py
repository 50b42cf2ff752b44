"""From a fork of the supervisor to an OCI runtime: the steps, in the order that matters.

The fork has a mount namespace of its own, so whatever it mounts is gone when its container is. It becomes the root of a
user namespace in which it has two ids, both unprivileged outside, before it executes the runtime: what goes wrong in
the runtime does not go wrong as root.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import NamedTuple, NoReturn

from mayfly.sandbox.agent import channel, isolate, kernel, root
from mayfly.sandbox.oci import config, roots
from mayfly.sandbox.oci.runtimes import FUNCTION_ID, RUNTIME_ID, Runtime

MAP = "map"
_CLONE_NEWCGROUP = 0x02000000
_OUTPUT, _CONTROL = 1, 0
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Given(NamedTuple):
    """Descriptors that the fork inherits."""

    control: int
    output: int
    trees: list[int]  # an image's, or those of the code and of the layers


class Plan(NamedTuple):
    """One container, as the supervisor decided it."""

    id: str
    place: str  # a directory of its own, for the bundle and what the runtime keeps
    runtime: Runtime
    base: roots.Root
    program: bool
    rooted: bool  # it shows an image
    uid: int  # the function's, on the host; the runtime's is the next one
    ephemeral_mb: int
    open_files: int
    calls: bytes  # the filter of system calls, compiled
    heard: bool  # somebody waits at `ears` for the filter's listener


def state_of(place: str) -> str:
    return f"{place}/state"


def process_file(place: str) -> str:
    """Where the runtime writes the process id of what it started."""
    return f"{place}/state/pid"


def log_file(place: str) -> str:
    return f"{place}/state/log"


def subcommand(plan_runtime: Runtime, place: str, *words: str) -> list[str]:
    """The runtime called for one of its subcommands."""
    options = ["--root", state_of(place), "--log", log_file(place), *plan_runtime.options]
    return [plan_runtime.program, *options, *words]


def ears(place: str) -> str:
    """Where a runtime hands over the descriptor by which denials are heard."""
    return f"{place}/ears"


def become(plan: Plan, given: Given, entrances: list[int], supervisor: socket.socket) -> NoReturn:
    """Carry out all steps, in the fork; never returns. `entrances` are of control groups that it is not in yet."""
    try:
        for entrance in entrances:
            isolate.join(entrance)
        directory = "/" if plan.rooted else isolate.TASK_ROOT
        _write_bundle(plan, _show(plan, given.trees), directory)
        kernel.new_session_keyring()
        kernel.unshare(_CLONE_NEWCGROUP)
        os.setgroups([])
        if plan.runtime.privileged:
            kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWNET)
        else:
            kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET)
            _ask_for_ids(supervisor)
        listeners = [isolate.listen_on_loopback()]
        if plan.program:
            listeners.append(isolate.listen(isolate.RUNTIME_API))
        channel.send(supervisor, {"op": channel.LISTENING}, [one.fileno() for one in listeners])
        os.chdir("/")
        os.setsid()
        os.dup2(given.control, _CONTROL)
        for standard in (_OUTPUT, _OUTPUT + 1):
            os.dup2(given.output, standard)
        bundle = ("--bundle", plan.place, "--pid-file", process_file(plan.place))
        words = subcommand(plan.runtime, plan.place, "run", "--detach", *bundle, plan.id)
        os.execve(words[0], words, _ENVIRONMENT)
    except Exception as error:  # the boundary of a process: the supervisor is told, whatever it was
        with contextlib.suppress(OSError):  # the supervisor is gone, and so is what waits for this
            channel.send(supervisor, {"op": channel.FAILED, "error": str(error)})
    finally:
        os._exit(1)


def _show(plan: Plan, trees: list[int]) -> str:
    """Mount what belongs to this function; returns the root directory."""
    if plan.rooted:
        at = f"{plan.place}/root"
        os.mkdir(at)
        return roots.show_image(trees[0], at, plan.base)
    kernel.attach(trees[0], plan.base.path + isolate.TASK_ROOT, root.READ_ONLY)
    layers = trees[1:]
    if len(layers) == 1:
        kernel.attach(layers[0], plan.base.path + isolate.LAYERS, root.READ_ONLY)
    elif layers:
        _merge(layers, f"{plan.place}/layers", plan.base.path + isolate.LAYERS)
    return plan.base.path


def _merge(layers: list[int], at: str, target: str) -> None:
    """Lay several layers over one another, the last one on top."""
    os.mkdir(at)
    paths = []
    for number, layer in enumerate(layers):
        paths.append(f"{at}/{number}")
        os.mkdir(paths[-1])
        kernel.attach(layer, paths[-1], root.READ_ONLY)
    kernel.mount("layers", target, "overlay", root.READ_ONLY, "lowerdir=" + ":".join(reversed(paths)))


def _write_bundle(plan: Plan, shown: str, directory: str) -> None:
    inside = config.Inside(
        root=shown,
        base=plan.base.path,
        arguments=plan.base.arguments(program=plan.program, foreign=plan.rooted),
        directory=directory,
        uid=plan.uid if plan.runtime.privileged else FUNCTION_ID,
        ephemeral_mb=plan.ephemeral_mb,
        open_files=plan.open_files,
        filtered=not plan.runtime.has_own_kernel,
        mounts_anywhere=plan.runtime.family == "crun",
        listener=ears(plan.place) if plan.heard else "",
        compiled=plan.calls if plan.runtime.family == "crun" else b"",
    )
    with open(f"{plan.place}/config.json", "w") as file:
        json.dump(config.configuration(inside), file)
    os.mkdir(state_of(plan.place), 0o700)
    if not plan.runtime.privileged:
        os.chown(state_of(plan.place), plan.uid + 1, plan.uid + 1)


def _ask_for_ids(supervisor: socket.socket) -> None:
    """Only who is outside may say which ids a user namespace has; then become its root."""
    channel.send(supervisor, {"op": MAP})
    if channel.receive(supervisor) is None:
        raise OSError("the supervisor has ended")
    os.setresgid(RUNTIME_ID, RUNTIME_ID, RUNTIME_ID)
    os.setresuid(RUNTIME_ID, RUNTIME_ID, RUNTIME_ID)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # its files in /proc belong to it again; the runtime writes some of them


def map_ids(pid: int, uid: int) -> None:
    """For the supervisor: give the user namespace of a fork its two ids."""
    text = f"{RUNTIME_ID} {uid + 1} 1\n{FUNCTION_ID} {uid} 1\n"
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write(text)
