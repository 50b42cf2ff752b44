"""The life of an instance as one table.

                                    lent   frozen
                                      ▲  ▲    │
                                      ▼  │    ▼
    provisioning ──► initializing ──► idle ◄──► busy ──► draining
          │               │             │         │          │
          │               └─────────────┴────┬────┴──────────┘
          │                                  ▼
          └───────────────────────────────► ending ──► terminated

*Provisioning*: its sandbox is being made. *Initializing*: user code is being loaded. *Idle*: it may be handed a call.
*Frozen*: likewise, and none of its processes runs until then. *Busy*: it runs one. *Lent*: others run calls on it
(`leases`), and give it back idle. *Draining*: it runs its last one. *Ending*: its processes are being killed and its
memory is not free yet. *Terminated*: nothing of it is left.

`Lifecycle` is the only thing that changes a state, and only along this table: an event that a state does not know is a
bug of the engine and raises, it is never ignored.
"""

from enum import Enum


class State(Enum):
    """Where an instance is in its life."""

    __hash__ = object.__hash__  # members are single; that of Enum is a call of Python

    PROVISIONING = "provisioning"
    INITIALIZING = "initializing"
    IDLE = "idle"
    FROZEN = "frozen"
    BUSY = "busy"
    LENT = "lent"
    DRAINING = "draining"
    ENDING = "ending"
    TERMINATED = "terminated"


class Event(Enum):
    """What can happen to it."""

    __hash__ = object.__hash__

    PROVISIONED = "its sandbox runs and was sent the code to load"
    READY = "the runtime loaded the code"
    FROZE = "its processes were stopped"
    CALLED = "a call was handed to it"
    ANSWERED = "its call has an outcome"
    LENT = "others run calls on it"
    RETURNED = "they gave it back, idle"
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
        Event.FROZE: State.FROZEN,
        Event.CALLED: State.BUSY,
        Event.LENT: State.LENT,
        Event.ENDED: State.ENDING,
    },
    State.FROZEN: {
        Event.CALLED: State.BUSY,
        Event.LENT: State.LENT,
        Event.ENDED: State.ENDING,
    },
    State.LENT: {
        Event.RETURNED: State.IDLE,
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


RESTING = frozenset({State.IDLE, State.FROZEN})  # where an instance may be handed a call
OVER = frozenset({State.ENDING, State.TERMINATED})  # where it is handed none any more, and counts no longer


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
