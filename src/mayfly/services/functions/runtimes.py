"""Which runtime identifiers there are, and what runs them here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions import faults

# Identifiers that AWS lets functions be made with and that Mayfly has a managed runtime for; those that AWS no longer
# accepts; and those that it accepts and Mayfly has nothing for.
PYTHON = ("python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python3.15")
NODE = ("nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "nodejs26.x")
JAVA = ("java8.al2", "java8.al2023", "java11", "java11.al2023", "java17", "java17.al2023", "java21", "java25")
RUBY = ("ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0")
MANAGED = (*PYTHON, *NODE, *JAVA, *RUBY, artifacts.NAME)
RETIRED = (
    *("python2.7", "python3.6", "python3.7"),
    *("nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10"),
    *("nodejs10.x", "nodejs12.x", "nodejs14.x", "nodejs16.x"),
    *("dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6"),
    *("go1.x", "ruby2.5", "ruby2.7", "java8", "provided"),
)
_INSTEAD = {
    "dotnet": "publish it as a native executable for provided.al2023, or as a container image",
}
_ELSEWHERE = (
    "dotnet8",
    "dotnet10",
)

# What answers calls is an executable that the package brings.
PROVIDED = ("provided.al2", "provided.al2023")


def runtime_version_arn(identifier: str, region: str) -> str:
    """What stands for the version of a runtime: this machine has one of each, which goes by its identifier."""
    return f"arn:aws:lambda:{region}::runtime:{sha256(identifier.encode()).hexdigest()}"


# Every identifier that means something, whether functions can be made with it or not.
KNOWN = (*PROVIDED, *MANAGED, *_ELSEWHERE, *RETIRED)


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """What will run the functions of one runtime identifier on this machine."""

    template: str  # the engine's name of it: `SandboxSpec.runtime`; empty for programs
    warning: str | None = None  # set when it is not quite what was asked for, e.g. a neighbouring version
    interpreter: Path | None = None  # compiles packages when they arrive; None: they stay uncompiled
    contract: Literal["frames", "program"] = "frames"  # see `engine.api.Target`
    command: tuple[str, ...] = ()
    # Of Java: the executable, and the directory of its launcher on this machine; `command` is made for each function.
    java: tuple[Path, Path] | None = None
    # Of Node.js: what modules that it has compiled depend on (`code.compile_cache`); None: it does not keep them.
    compiles_as: str | None = None
    # Whether a process that was started before it knew its function will do, by the function's own variables; None:
    # there are no such processes.
    pooled: Callable[[Mapping[str, str]], bool] | None = None


@dataclass(frozen=True, slots=True)
class RuntimeAbsent:
    """Nothing on this machine may run them."""

    reason: str  # says what to install


# From an identifier in `MANAGED` or `RETIRED` to what runs it here.
Runtimes = Callable[[str], RuntimeChoice | RuntimeAbsent]


def choose(runtimes: Runtimes, identifier: str) -> RuntimeChoice:
    """What runs `identifier`; `ServiceError` when it is unknown, retired, or cannot be had here."""
    if identifier in RETIRED:
        choice = runtimes(identifier)
        if isinstance(choice, RuntimeChoice):
            return choice
        raise faults.invalid_parameter(
            f"The runtime parameter of {identifier} is no longer supported for creating or updating AWS Lambda "
            "functions. We recommend you use a supported runtime while creating or updating functions. "
            f"({choice.reason})"
        )
    if identifier in PROVIDED:
        return RuntimeChoice("", contract="program")
    if identifier in MANAGED:
        choice = runtimes(identifier)
        if isinstance(choice, RuntimeChoice):
            return choice
        raise faults.invalid_parameter(f"{identifier} cannot be had on this machine: {choice.reason}.")
    if identifier in _ELSEWHERE:
        managed = f"only {PYTHON[0]} to {PYTHON[-1]}, {NODE[0]} to {NODE[-1]}, java*, ruby* and provided.*"
        instead = [f"; {what}" for language, what in _INSTEAD.items() if identifier.startswith(language)]
        raise faults.not_built(f"the runtime {identifier} yet, {managed}{''.join(instead)}")
    raise faults.invalid_parameter(
        f"Value {identifier} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
        f"[{', '.join((*MANAGED, *PROVIDED, *_ELSEWHERE))}] or be a valid ARN"
    )
