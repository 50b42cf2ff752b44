"""The life of an instance as one table.

    provisioning ──► initializing ──► idle ◄──► busy ──► draining
          │               │             │         │          │
          │               └─────────────┴────┬────┴──────────┘
          │                                  ▼
          └───────────────────────────────► ending ──► terminated

*Provisioning*: its sandbox is being made. *Initializing*: user code is being loaded. *Idle*: it may be handed a call.
*Busy*: it runs one. *Draining*: it runs its last one. *Ending*: its processes are being killed and its memory is not
free yet. *Terminated*: nothing of it is left. (A frozen state between idle and busy will come in here.)

`Lifecycle` is the only thing that changes a state, and only along this table: an event that a state does not know is a
bug of the engine and raises, it is never ignored.
"""

from enum import Enum


class State(Enum):
    """Where an instance is in its life."""

    PROVISIONING = "provisioning"
    INITIALIZING = "initializing"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    ENDING = "ending"
    TERMINATED = "terminated"


class Event(Enum):
    """What can happen to it."""

    PROVISIONED = "its sandbox runs and was sent the code to load"
    READY = "the runtime loaded the code"
    CALLED = "a call was handed to it"
    ANSWERED = "its call has an outcome"
    RETIRED = "it is to take no further call"
    ENDED = "it is to end, or it ended itself"
    GONE = "nothing of it is left"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.PROVISIONING: {
        Event.PROVISIONED: State.INITIALIZING,
        Event.ENDED: State.ENDING,
    },
    State.INITIALIZING: {
        Event.READY: State.IDLE,
        Event.ENDED: State.ENDING,
    },
    State.IDLE: {
        Event.CALLED: State.BUSY,
        Event.ENDED: State.ENDING,
    },
    State.BUSY: {
        Event.ANSWERED: State.IDLE,
        Event.RETIRED: State.DRAINING,
        Event.ENDED: State.ENDING,
    },
    State.DRAINING: {
        Event.RETIRED: State.DRAINING,
        Event.ANSWERED: State.ENDING,
        Event.ENDED: State.ENDING,
    },
    State.ENDING: {
        Event.ENDED: State.ENDING,
        Event.GONE: State.TERMINATED,
    },
    State.TERMINATED: {},
}


class IllegalTransitionError(RuntimeError):
    """The engine fed an instance an event that its state does not know: a bug of the engine."""


class Lifecycle:
    """The state of one instance."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = State.PROVISIONING

    @property
    def state(self) -> State:
        return self._state

    def feed(self, event: Event) -> State:
        """Move along the table; the new state."""
        try:
            self._state = TRANSITIONS[self._state][event]
        except KeyError:
            raise IllegalTransitionError(f"{self._state.value}: {event.value}") from None
        return self._state
