"""Bare uvicorn, the ceiling of what an HTTP server in Python answers, and functions-framework under gunicorn."""

import os
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from benchmarks.peers import sources
from benchmarks.peers.packages import python_packages
from benchmarks.peers.servers import Launch, servers
from benchmarks.peers.subject import KINDS, About, Kind, Subject

INTERPRETER = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
"""What Mayfly's functions run on, and every peer's that runs Python."""


class Uvicorn:
    """One process, one event loop, a raw ASGI application: nothing that a platform does."""

    about = About(
        name="uvicorn",
        title="bare uvicorn (the ceiling)",
        requires=("uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0", *sources.PACKAGES),
        language="Python",
        isolates="nothing",
        signatures="no",
        logs="no",
        meters="no",
        serves="a raw ASGI application in one process, uvloop and httptools, access log off",
        cold="process start to first reply: it does not scale to zero",
        instance="another process",
    )

    def missing(self) -> str | None:
        return None

    def install(self, home: Path) -> None:
        python_packages(home, INTERPRETER, self.about.requires)
        for kind in KINDS:
            (home / f"{sources.module(kind)}.py").write_text(sources.for_uvicorn(kind))

    def running(self, home: Path) -> AbstractContextManager[Subject]:
        def command(kind: Kind, port: int) -> list[str | Path]:
            return [home / "venv" / "bin" / "python", home / f"{sources.module(kind)}.py", "127.0.0.1", str(port)]

        return servers(Launch(command), home)


class FunctionsFramework:
    """Google's framework, as its own command starts it: gunicorn with threads."""

    about = About(
        name="functions-framework",
        title="functions-framework, gunicorn",
        requires=("functions-framework==3.10.2", "gunicorn==27.0.1", *sources.PACKAGES),
        language="Python",
        isolates="nothing",
        signatures="no",
        logs="no",
        meters="no",
        serves="its own command, by default one gunicorn worker with four threads a core",
        cold="process start to first reply: it does not scale to zero by itself",
        instance="another gunicorn with one worker",
    )
    workers = 1

    def missing(self) -> str | None:
        return None

    def install(self, home: Path) -> None:
        python_packages(home, INTERPRETER, self.about.requires)
        for kind in KINDS:
            (home / f"{sources.module(kind)}.py").write_text(sources.for_flask(kind))

    def running(self, home: Path) -> AbstractContextManager[Subject]:
        def command(kind: Kind, port: int) -> list[str | Path]:
            words = ["--target", "handler", "--host", "127.0.0.1", "--port", str(port)]
            return [
                home / "venv" / "bin" / "functions-framework",
                "--source",
                home / f"{sources.module(kind)}.py",
                *words,
            ]

        return servers(Launch(command, variables={"WORKERS": str(self.workers)}), home)


class FunctionsFrameworkWorkers(FunctionsFramework):
    """The same with a process a core, as one tunes it for throughput."""

    workers = os.cpu_count() or 1
    about = replace(
        FunctionsFramework.about,
        name="functions-framework-workers",
        title="functions-framework, a worker a core",
        serves=f"WORKERS={workers}: a gunicorn worker a core, each with four threads a core",
        instance=f"another gunicorn with {workers} workers",
    )
