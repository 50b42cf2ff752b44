"""Which conversation the instances of a target have."""

from mayfly.engine.api import Target
from mayfly.engine.conversation import Conversation, Frames, OnFrame, OnLost
from mayfly.engine.program import Program


def converse(target: Target, on_frame: OnFrame, on_lost: OnLost) -> Conversation:
    """One that is not open yet, for one instance."""
    if target.contract == "program":
        return Program(target, on_frame, on_lost)
    return Frames(on_frame, on_lost)
