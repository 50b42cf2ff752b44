"""What containers see, made once a runtime in the supervisor's own mount namespace.

*Roots* are those of the namespace level, one an interpreter. A *kit* is what a container needs of the platform: the
code of the managed runtime and of the launcher, compiled; and for file systems of images, which may have no Python and
another C library, the interpreter with the very libraries that it uses and their loader. It shows at `KIT`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

from mayfly.sandbox.agent import kernel, root
from mayfly.sandbox.oci.runtimes import FUNCTION_ID

KIT = "/.mayfly"
_SHIPPED = ("sandbox/frames.py", "sandbox/node", "sandbox/python", "sandbox/wasm")
_PACKAGES = ("", "sandbox")
_RUNTIME_PACKAGES = "/var/runtime"
_PREPARE_S = 60.0
# Compiles the kit, imports what the first process of a container imports, and tells the files that this needed.
_PROBE = (
    "import sys, json, compileall\n"
    "compileall.compile_dir(sys.argv[1], quiet=2, stripdir=sys.argv[1], prependdir=sys.argv[2],"
    " invalidation_mode=__import__('py_compile').PycInvalidationMode.UNCHECKED_HASH)\n"
    "sys.path.insert(0, sys.argv[1])\n"
    "from mayfly.sandbox.python import contained_function\n"
    "with open('/proc/self/maps') as maps: files = {line.split(None, 5)[5].strip() for line in maps if '/' in line}\n"
    "print(json.dumps(sorted(files)))\n"
)
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); from mayfly.sandbox.python import {0}; sys.path.pop(0); {1}"
_OPTIONS = ("-I", "-S", "-X", "utf8", "-c")


# A runtime without privileges may not take flags away that a mount has, and runsc tries to: "nosuid" of the root is in
# force by "no new privileges" all the same.
_SEALED = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY


class Root:
    """The file system of one interpreter's containers, and its kit."""

    def __init__(self, place: str, message: dict[str, Any]) -> None:
        """Build both below `place`, a directory; `message` is what the server said of the runtime. OSError."""
        self.path, self.kit = f"{place}/root", f"{place}/kit"
        self._python, self._prefix = message["python"], message["prefix"]
        self._runtime = _runtime_of(message.get("resident"))
        self._libraries: list[str] = []
        self._make_kit(message["source"])
        os.mkdir(self.path)
        packages, shown = (
            tuple(message["packages"]),
            tuple((source, place) for source, place in message.get("shown", ())),
        )
        node = message.get("node")
        plan = root.RootPlan(self.path, self._prefix, packages, FUNCTION_ID, 1, node, shown, self._python)
        root.build(plan)
        _open_temporary(self.path)
        os.mkdir(self.path + KIT)
        kernel.bind(self.kit, self.path + KIT, root.READ_ONLY)
        kernel.mount("none", self.path, None, _SEALED)

    def arguments(self, *, program: bool, foreign: bool) -> tuple[str, ...]:
        """What a container starts with; `foreign`: in a file system that is not this one."""
        begin = f"contained.launch({self._runtime!r})" if program else self._runtime
        rest = (*_OPTIONS, _RUN.format(begin.partition(".")[0], begin), f"{KIT}/code")
        if not foreign:
            return (self._python, *rest)
        inside = f"{KIT}/python/" + os.path.relpath(self._python, self._prefix)
        return (f"{KIT}/lib/{self._loader()}", "--library-path", f"{KIT}/lib", inside, *rest)

    def _loader(self) -> str:
        for name in self._libraries:
            if name.startswith(("ld-linux", "ld64", "ld-")):
                return name
        raise OSError(f"the dynamic loader of {self._python} is not known, so it runs in no other file system")

    def _make_kit(self, source: str) -> None:
        code = f"{self.kit}/code/mayfly"
        for package in _PACKAGES:
            os.makedirs(os.path.join(code, package), exist_ok=True)
            with open(os.path.join(code, package, "__init__.py"), "wb"):
                pass
        for name in _SHIPPED:
            copy = shutil.copytree if os.path.isdir(f"{source}/mayfly/{name}") else shutil.copyfile
            copy(f"{source}/mayfly/{name}", f"{code}/{name}")
        used = self._probe(f"{self.kit}/code")
        os.mkdir(f"{self.kit}/lib")
        for path in used:
            if path.startswith(self._prefix + "/lib/python") or ".so" not in os.path.basename(path):
                continue
            for name in _names_of(path):
                shutil.copyfile(path, f"{self.kit}/lib/{name}")
                os.chmod(f"{self.kit}/lib/{name}", 0o755)  # noqa: S103 (one of them is the loader, which is executed)
                self._libraries.append(name)
        os.mkdir(f"{self.kit}/python")
        kernel.bind(self._prefix, f"{self.kit}/python", root.READ_ONLY)

    def _probe(self, code: str) -> list[str]:
        command = [self._python, "-I", "-S", "-X", "utf8", "-c", _PROBE, code, f"{KIT}/code"]
        done = subprocess.run(command, capture_output=True, timeout=_PREPARE_S, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise OSError(f"{self._python} cannot run what a container starts with: {last}")
        used: list[str] = json.loads(done.stdout)
        return used


def _runtime_of(resident: dict[str, Any] | None) -> str:
    """What a container runs that is not for programs; ValueError where that cannot be had."""
    if resident is None:
        return "contained_function.run()"
    if resident["module"].startswith("mayfly.sandbox.node."):
        return "contained_function.node()"
    if not resident["module"].startswith("mayfly.sandbox.wasm."):
        raise ValueError("this runtime starts from a template, which containers do not have")
    return f"contained_function.resident([sys.argv[1], {_RUNTIME_PACKAGES!r}], {resident['module']!r})"


def _open_temporary(shown: str) -> None:
    """Let everybody write to /tmp: some runtimes give what they mount there the mode of what was there before."""
    os.chmod(f"{shown}/tmp", 0o1777)  # noqa: S103, S108 (as every /tmp is)


def _names_of(library: str) -> list[str]:
    """The names under which programs may ask for a library: its own, and those of links to it beside it."""
    directory, own = os.path.split(library)
    stem = own.partition(".so")[0] + ".so"
    return [
        name
        for name in os.listdir(directory)
        if name == own or (name.startswith(stem) and os.path.realpath(f"{directory}/{name}") == library)
    ]


def show_image(image: int, at: str, base: Root) -> str:
    """Put a file system together at the directory `at` from an image's tree, a descriptor: what the image has at its
    top, and what a container needs beside it; returns its root. The caller has a mount namespace of its own."""
    below = f"{at}/image"
    shown = f"{at}/shown"
    os.mkdir(below)
    os.mkdir(shown)
    kernel.attach(image, below, root.READ_ONLY)
    kernel.mount("mayfly", shown, "tmpfs", kernel.MS_NOSUID, "mode=755,size=1m")
    with os.scandir(below) as entries:
        for entry in entries:
            target = f"{shown}/{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), target)
            elif entry.name in {"proc", "dev", "tmp"}:
                continue
            elif entry.is_dir():
                os.mkdir(target)
                kernel.bind(entry.path, target, root.READ_ONLY)
            elif entry.is_file():
                with open(target, "wb"):
                    pass
                kernel.bind(entry.path, target, root.READ_ONLY)
    for name in ("proc", "dev", "tmp", KIT.strip("/")):
        os.makedirs(f"{shown}/{name}", exist_ok=True)
    _open_temporary(shown)
    for name in ("hosts", "hostname", "resolv.conf"):
        target = f"{shown}/etc/{name}"
        if os.path.isfile(target) and not os.path.islink(target) and not os.path.islink(f"{shown}/etc"):
            kernel.bind(f"{base.path}/etc/{name}", target, root.READ_ONLY)
    kernel.bind(base.kit, shown + KIT, root.READ_ONLY)
    kernel.mount("none", shown, None, _SEALED)
    return shown
