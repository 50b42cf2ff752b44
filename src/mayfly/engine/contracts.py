"""Which conversation the instances of a target have."""

from collections.abc import Callable

from mayfly.clock import Clock
from mayfly.engine.api import Target
from mayfly.engine.conversation import Conversation, Frames, OnFrame, OnLost
from mayfly.engine.program import Program


def hears_ahead(target: Target) -> bool:
    """Whether its runtime may be sent its first call along with the code to load (`frames.AHEAD`): it can tell whether
    its pipe is empty, and has a loop of its own that waits if it is not."""
    plain = target.contract == "frames" and target.concurrency == 1
    return plain and target.sandbox.runtime.startswith(("python", "wasm"))


def converse(
    target: Target, on_frame: OnFrame, on_lost: OnLost, on_lines: Callable[[list[str]], None], clock: Clock
) -> Conversation:
    """One that is not open yet, for one instance. `on_lines` gets what does not come by the output pipe."""
    if target.contract == "program":
        return Program(target, on_frame, on_lost, on_lines, clock)
    return Frames(on_frame, on_lost)
