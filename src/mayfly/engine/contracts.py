"""Which conversation the instances of a target have."""

from collections.abc import Callable

from mayfly.clock import Clock
from mayfly.engine.api import Target
from mayfly.engine.conversation import Conversation, Frames, OnFrame, OnLost
from mayfly.engine.program import Program


def converse(
    target: Target, on_frame: OnFrame, on_lost: OnLost, on_lines: Callable[[list[str]], None], clock: Clock
) -> Conversation:
    """One that is not open yet, for one instance. `on_lines` gets what does not come by the output pipe."""
    if target.contract == "program":
        return Program(target, on_frame, on_lost, on_lines, clock)
    return Frames(on_frame, on_lost)
