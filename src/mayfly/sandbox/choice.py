"""Which of the interpreters of this machine serves a runtime identifier: `python3.12`, `nodejs22.x`, `ruby3.4`. Pure.

The version that an identifier names is the minor one of a Python or Ruby and the major one of a Node.js or Java: within
it, releases only mend. Where it is not installed, another version of the same language serves if *substitution* is
allowed: the nearest, and the newer of two that are equally near; of Java only a newer one, which runs what older ones
run. A language is never another one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mayfly.sandbox import interpreters, jdks
from mayfly.sandbox.api import Interpreter, Language, SandboxUnavailableError

_PYTHON = re.compile(r"python3\.(\d+)$")
_NODE = re.compile(r"nodejs(\d+)\.(?:x|\d+)$")  # before nodejs10.x they named the minor version, too
_JAVA = re.compile(r"java(\d+)(\.al\d+)?$")
_RUBY = re.compile(r"ruby(\d)\.(\d)$")
_NAMES: dict[Language, str] = {"python": "Python", "nodejs": "Node.js", "java": "JDK", "ruby": "Ruby"}


class Choice(NamedTuple):
    """The interpreter for a runtime; `warning` says so if it is of another version."""

    interpreter: Interpreter
    warning: str | None


def choose(runtime: str, found: Sequence[Interpreter], *, substitute: bool = True) -> Choice:
    """What runs functions of `runtime`.

    `SandboxUnavailableError`, which says what to install, where there is nothing or nothing that is allowed.
    """
    language, wanted = _understand(runtime)
    able = [one for one in found if one.language == language and (language != "java" or number(one) >= wanted)]
    if not able:
        or_newer = f"of version {wanted} or later " if language == "java" else ""
        raise SandboxUnavailableError(
            f"no {_NAMES[language]} {or_newer}was found on this machine; {_cure(runtime, wanted)}"
        )
    best = min(able, key=lambda one: (abs(number(one) - wanted), -number(one), [-part for part in one.version]))
    if number(best) == wanted:
        return Choice(best, None)
    used = f"{_NAMES[language]} {dotted(best)}"
    if not substitute:
        raise SandboxUnavailableError(
            f"{runtime} is not installed on this machine; the nearest is {used}, and substitution is switched off: "
            f"{_cure(runtime, wanted)}, or allow --runtime-substitution"
        )
    return Choice(best, f"{runtime} is not installed on this machine; {used} runs its functions instead")


def choices(runtimes: Iterable[str], found: Sequence[Interpreter]) -> Mapping[str, Choice]:
    """`choose` for each."""
    return {runtime: choose(runtime, found) for runtime in runtimes}


def number(interpreter: Interpreter) -> int:
    """The version that runtime identifiers name."""
    major, minor, _ = interpreter.version
    if interpreter.language == "ruby":
        return _of_ruby(major, minor)
    return minor if interpreter.language == "python" else major


def dotted(interpreter: Interpreter) -> str:
    """Its whole version, for people."""
    return ".".join(map(str, interpreter.version))


def template_name(interpreter: Interpreter) -> str:
    """What the engine calls it: `python3.11`, `nodejs22`, `java17`, `ruby3.4`."""
    if interpreter.language in {"python", "ruby"}:
        return f"{interpreter.language}{interpreter.version[0]}.{interpreter.version[1]}"
    return f"{interpreter.language}{interpreter.version[0]}"


def _understand(runtime: str) -> tuple[Language, int]:
    if match := _PYTHON.fullmatch(runtime):
        return "python", int(match[1])
    if match := _NODE.fullmatch(runtime):
        return "nodejs", int(match[1])
    if match := _JAVA.fullmatch(runtime):
        return "java", int(match[1])
    if match := _RUBY.fullmatch(runtime):
        return "ruby", _of_ruby(int(match[1]), int(match[2]))
    raise SandboxUnavailableError(
        f"{runtime!r} is not a managed runtime of this machine; it has python3.x, nodejs, java and ruby"
    )


def _of_ruby(major: int, minor: int) -> int:
    """Counts on from one major version to the next, so that some are nearer than others."""
    return major * 10 + minor


def _cure(runtime: str, wanted: int) -> str:
    if runtime.startswith("java"):
        package = f"openjdk-{max(wanted, jdks.OLDEST)}-jdk-headless"
        return f"install Debian's package {package}, or a later one; a runtime environment (JRE) is not enough"
    if runtime.startswith("nodejs"):
        return f"install it with `mayfly runtime install {runtime}`, with nvm, or as a package of the system"
    if runtime.startswith("ruby"):
        version = runtime.removeprefix("ruby")
        return f"install Ruby {version} with rbenv, or as a package of the system (apt install ruby)"
    if (3, wanted) < interpreters.OLDEST:
        oldest = ".".join(map(str, interpreters.OLDEST))
        return f"functions run on Python {oldest} and later alone: name a newer runtime, or switch substitution on"
    return f"install python3.{wanted} with pyenv, with `uv python install 3.{wanted}`, or as a package of the system"
