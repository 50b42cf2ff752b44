"""From what became of a process to what became of the call that it was running. Pure."""

from collections.abc import Mapping
from typing import Any

from mayfly.engine.api import Failure, FailureKind
from mayfly.sandbox.api import Exit


def failure_of(verdict: FailureKind | None, exit_: Exit | None, program: Mapping[str, Any] | None = None) -> Failure:
    """The failure of the call of an instance that is gone.

    `verdict` is why the engine ended the instance; it counts for more than how the processes then died. Without one
    the instance ended by itself and `exit_` tells how. An instance that was killed from outside (by its factory, or by
    somebody with a shell) counts as exited by SIGKILL. `program` is how the program of the instance ended, where it was
    ended for that; unless memory had run out, that is what counts.
    """
    if verdict is not None:
        return Failure(verdict)
    if program is not None and (exit_ is None or exit_.reason != "out-of-memory"):
        return Failure(
            "exited",
            exit_status=program.get("code"),
            signal=program.get("signal"),
            error_type=program.get("type", ""),
            cause=program.get("cause", ""),
        )
    if exit_ is None:
        return Failure("exited")
    match exit_.reason:
        case "out-of-memory":
            return Failure("out-of-memory", signal=9)
        case "exited":
            return Failure("exited", exit_status=exit_.code)
        case "signaled" | "killed":
            return Failure("exited", signal=exit_.code)
