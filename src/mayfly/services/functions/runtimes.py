"""Which runtime identifiers there are, and what runs them here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions import faults

# Python identifiers that AWS still lets functions be made with, and those that it no longer does.
PYTHON = ("python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python3.15")
_RETIRED = ("python2.7", "python3.6", "python3.7")
_ELSEWHERE = (
    "dotnet6",
    "dotnet8",
    "dotnet10",
    "java8.al2",
    "java11",
    "java17",
    "java21",
    "java25",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
)

# What answers calls is an executable that the package brings.
PROVIDED = ("provided.al2", "provided.al2023")


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """What will run the functions of one runtime identifier on this machine."""

    template: str  # the engine's name of it: `SandboxSpec.runtime`; empty for programs
    warning: str | None = None  # set when it is not quite what was asked for, e.g. a neighbouring version
    interpreter: Path | None = None  # compiles packages when they arrive; None: they stay uncompiled
    contract: Literal["frames", "program"] = "frames"  # see `engine.api.Target`
    command: tuple[str, ...] = ()


# From an identifier in `PYTHON` to what runs it; None when nothing here can.
Runtimes = Callable[[str], RuntimeChoice | None]


def choose(runtimes: Runtimes, identifier: str) -> RuntimeChoice:
    """What runs `identifier`; `ServiceError` when it is unknown, retired, or cannot be had here."""
    if identifier in _RETIRED:
        raise faults.invalid_parameter(
            f"The runtime parameter of {identifier} is no longer supported for creating or updating AWS Lambda "
            "functions. We recommend you use a supported runtime while creating or updating functions."
        )
    if identifier in PROVIDED:
        return RuntimeChoice("", contract="program")
    if identifier == artifacts.NAME:
        if choice := runtimes(identifier):
            return choice
        raise faults.not_built("wasm on this machine: the package wasmtime is not installed where Mayfly is")
    if identifier in PYTHON:
        if choice := runtimes(identifier):
            return choice
        raise faults.not_built(f"{identifier} on this machine: no interpreter was found that could run it")
    if identifier in _ELSEWHERE:
        raise faults.not_built(f"the runtime {identifier} yet, only {PYTHON[0]} to {PYTHON[-1]} and provided.*")
    raise faults.invalid_parameter(
        f"Value {identifier} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
        f"[{', '.join((*PYTHON, *PROVIDED, *_ELSEWHERE, artifacts.NAME))}] or be a valid ARN"
    )
