"""What the server asks of the agent, as the messages that `agent.channel` names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mayfly.sandbox import interpreters, parcel, rubies
from mayfly.sandbox.agent import channel
from mayfly.sandbox.api import Interpreter, SandboxSpec


def prepare(runtime: str, interpreter: Interpreter, shared: Sequence[Path]) -> dict[str, Any]:
    """Make the template of a runtime. `shared`: files that every sandbox sees below /var/runtime, if they are there."""
    python = interpreter if interpreter.language == "python" else interpreters.current()
    resident = parcel.resident(runtime) if python is interpreter else parcel.node_resident()
    packages = (*parcel.packages_of(resident), *(path for path in shared if path.exists()))
    return {
        "op": channel.PREPARE,
        "runtime": runtime,
        "packages": [str(package) for package in packages],
        "resident": resident,
        "node": _node(interpreter) if interpreter.language == "nodejs" else None,
        "shown": _shown(interpreter, resident),
        "python": str(python.path),
        "prefix": str(python.prefix),
        "source": str(parcel.source()),
    }


def start(name: str, spec: SandboxSpec, *, vacant: bool = False) -> dict[str, Any]:
    """Make a sandbox. `vacant`: without a function."""
    return {
        "op": channel.START,
        "id": name,
        "runtime": spec.runtime,
        "code": str(spec.code.absolute()),
        "layers": [str(layer.absolute()) for layer in spec.layers],
        "memory_mb": spec.memory_mb,
        "ephemeral_mb": spec.ephemeral_mb,
        "processes": spec.processes,
        "open_files": spec.open_files,
        "cpus": spec.cpus,
        "label": spec.label,
        "ahead": spec.ahead,
        "vacant": vacant,
        "early": spec.pooled,
        "program": spec.program,
        "root": str(spec.root.absolute()) if spec.root is not None else None,
    }


def _node(interpreter: Interpreter) -> dict[str, str]:
    """What a template of Node.js shows beside the machine's programs."""
    modules = str(interpreter.modules) if interpreter.modules is not None else ""
    return {"path": str(interpreter.path), "modules": modules, "bootstrap": str(parcel.node_bootstrap().parent)}


def _shown(interpreter: Interpreter, resident: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What sandboxes of a runtime see of the machine beside what all of them do, and where."""
    if interpreter.language == "ruby":
        return [(str(path), str(path)) for path in rubies.shown(interpreter)]
    return [(str(path), place) for path, place in parcel.wrapped()] if resident is None else []
