"""Plain containers, as Knative runs them: one server on a port in a container of its own, started by an OCI runtime.

There is no image to fetch: the root is the host's own system directories, read-only, an interpreter and installed
packages. Each container has a network namespace, joined to the host by a pair of virtual interfaces made beforehand:
what a cluster's network plug-in, its activator and its queue proxy cost is not in the figures, which favours the
containers.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import sources
from benchmarks.peers.exchange import first_reply, once
from benchmarks.peers.packages import lacking, python_packages
from benchmarks.peers.processes import process
from benchmarks.peers.python_servers import INTERPRETER, Uvicorn
from benchmarks.peers.subject import KINDS, About, Kind, Subject, Target

_PORT = 8080
_NETWORKS = 24  # containers at once, at most
_NOBODY = 65534
_HOST_DIRECTORIES = ("/usr", "/lib", "/lib64", "/bin", "/etc")
_UNIFIED = "/sys/fs/cgroup/unified"


@dataclass(frozen=True)
class Runtime:
    """How one OCI runtime is called."""

    about: About
    program: str
    run: tuple[str, ...]  # options before `run`
    wrap: tuple[str, ...] = ()  # words before the program
    joins: bool = False  # enters the network namespace from outside, rather than by its configuration

    def command(self, home: Path, network: str, *words: str) -> list[str]:
        """The runtime called for one of its subcommands."""
        inside = ["nsenter", f"--net=/run/netns/{network}"] if self.joins else []
        return [*inside, *self.wrap, self.program, "--root", str(home / "state"), *self.run, *words]


_BASE = Uvicorn.about
_SERVES = "bare uvicorn in the container, asked directly: no activator, no queue proxy"
_COLD = "`{} run` to first reply; the root, the network namespace and its interfaces are made beforehand"
CRUN = Runtime(
    about=About(
        name="crun",
        title="container, crun",
        requires=(*_BASE.requires, "crun", "iproute2"),
        language="Python",
        isolates="namespaces, no capabilities, no_new_privs; no seccomp filter and no cgroup limits here",
        signatures="no",
        logs="no",
        meters="no",
        serves=_SERVES,
        cold=_COLD.format("crun"),
        instance="another container",
    ),
    program="crun",
    run=("--cgroup-manager=disabled",),
    # It refuses machines that mount both hierarchies, so the second is taken out of its sight.
    wrap=("unshare", "-m", "sh", "-c", f'mountpoint -q {_UNIFIED} && umount {_UNIFIED}; exec "$@"', "sh"),
)
RUNSC = Runtime(
    about=About(
        name="runsc",
        title="container, gVisor (runsc, ptrace)",
        requires=(*_BASE.requires, "runsc", "iproute2"),
        language="Python",
        isolates="a kernel of its own in user space; its network is the host's stack in a network namespace",
        signatures="no",
        logs="no",
        meters="no",
        serves=_SERVES,
        cold=_COLD.format("runsc"),
        instance="another container",
    ),
    program="runsc",
    run=("--platform=ptrace", "--network=host", "--ignore-cgroups"),
    joins=True,
)


@dataclass(frozen=True)
class Containers:
    """Containers of one runtime."""

    runtime: Runtime

    @property
    def about(self) -> About:
        return self.runtime.about

    def missing(self) -> str | None:
        if os.geteuid() != 0:
            return "needs root: it makes network namespaces and containers"
        return lacking(self.runtime.program, "ip", "nsenter", "unshare")

    def install(self, home: Path) -> None:
        python_packages(home, INTERPRETER, _BASE.requires)
        (home / "functions").mkdir(exist_ok=True)
        for kind in KINDS:
            (home / "functions" / f"{sources.module(kind)}.py").write_text(sources.for_uvicorn(kind))
        (home / "root").mkdir(exist_ok=True)

    @contextmanager
    def running(self, home: Path) -> Iterator[Subject]:
        with ExitStack() as stack:
            networks = [stack.enter_context(_network(number)) for number in range(_NETWORKS)]
            subject = _Running(self.runtime, home, networks, stack)
            first_reply(subject.target())
            yield subject


class _Running:
    def __init__(self, runtime: Runtime, home: Path, networks: list["Network"], stack: ExitStack) -> None:
        self._runtime, self._home, self._free, self._stack = runtime, home, networks, stack
        self._warm = self._free.pop()
        self._cold = self._free.pop()
        stack.enter_context(self._container("hello", self._warm))

    def target(self) -> Target:
        return _target("hello", self._warm)

    def cold(self, kind: Kind) -> float:
        with ExitStack() as stack:
            container = self._container(kind, self._cold)
            began = time.perf_counter()
            stack.enter_context(container)
            first_reply(_target(kind, self._cold))
            return (time.perf_counter() - began) * 1000

    def add(self, kind: Kind, count: int) -> int:
        count = min(count, len(self._free))
        for _ in range(count):
            network = self._free.pop()
            self._stack.enter_context(self._container(kind, network))
            first_reply(_target(kind, network))
            once(_target(kind, network))
        return count

    @contextmanager
    def _container(self, kind: Kind, network: "Network") -> Iterator[None]:
        bundle = self._home / "bundles" / network.name
        bundle.mkdir(parents=True, exist_ok=True)
        (bundle / "config.json").write_text(json.dumps(configuration(self._runtime, self._home, kind, network.name)))
        name = f"peer-{os.getpid()}-{network.name}"
        command = self._runtime.command(self._home, network.name, "run", "--bundle", str(bundle), name)
        try:
            with process(command, self._home / "server.log"):
                yield
        finally:
            for words in (("kill", name, "KILL"), ("delete", "--force", name)):
                command = self._runtime.command(self._home, network.name, *words)
                subprocess.run(command, check=False, capture_output=True, timeout=30)


@dataclass(frozen=True)
class Network:
    """A network namespace that the host reaches at `address`."""

    name: str
    address: str


@contextmanager
def _network(number: int) -> Iterator[Network]:
    """A namespace joined to the host in a subnet of four addresses of 198.18.0.0/15, which is kept for benchmarks."""
    name, host = f"mayflypeer{number}", f"mfp{number}"
    third, fourth = divmod(number * 4, 256)
    ours, theirs = f"198.18.{third}.{fourth + 1}", f"198.18.{third}.{fourth + 2}"
    _remove(name, host)
    try:
        for words in (
            f"netns add {name}",
            f"link add {host} type veth peer name eth0 netns {name}",
            f"addr add {ours}/30 dev {host}",
            f"link set {host} up",
            f"-n {name} addr add {theirs}/30 dev eth0",
            f"-n {name} link set eth0 up",
            f"-n {name} link set lo up",
        ):
            subprocess.run(["ip", *words.split()], check=True, capture_output=True, timeout=30)
        yield Network(name, theirs)
    finally:
        _remove(name, host)


def _remove(name: str, host: str) -> None:
    for words in (f"link del {host}", f"netns del {name}"):
        subprocess.run(["ip", *words.split()], check=False, capture_output=True, timeout=30)


def configuration(runtime: Runtime, home: Path, kind: Kind, network: str) -> dict[str, object]:
    """The OCI runtime configuration of one container."""
    namespaces: list[dict[str, str]] = [{"type": name} for name in ("pid", "ipc", "uts", "mount")]
    if not runtime.joins:
        namespaces.append({"type": "network", "path": f"/run/netns/{network}"})
    packages = f"/packages/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    shown = [(path, path) for path in _HOST_DIRECTORIES if os.path.isdir(path)]
    if not sys.base_prefix.startswith("/usr"):
        shown.append((sys.base_prefix, sys.base_prefix))  # at the same place: its libraries are found by their path
    shown += [(str(home / "venv"), "/packages"), (str(home / "functions"), "/functions")]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": _NOBODY, "gid": _NOBODY},
            "args": [
                str(INTERPRETER),
                "-B",
                f"/functions/{sources.module(kind)}.py",
                "0.0.0.0",
                str(_PORT),
            ],
            "env": [f"PYTHONPATH={packages}", "PATH=/usr/bin:/bin"],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": str(home / "root"), "readonly": True},
        "hostname": "function",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
            *(
                {"destination": inside, "source": outside, "type": "bind", "options": ["rbind", "ro"]}
                for outside, inside in shown
            ),
        ],
        "linux": {"namespaces": namespaces},
    }


def _target(kind: Kind, network: Network) -> Target:
    request = sources.get(_PORT, host=network.address)
    return Target(_PORT, request, sources.ANSWERS[kind].encode(), network.address)
