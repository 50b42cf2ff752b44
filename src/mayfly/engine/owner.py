"""What an instance is told of its surroundings, and tells them: `placement` is the owner, `leases` the keeper."""

import socket
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mayfly.clock import Clock
from mayfly.engine.api import EndpointServer, Observer, Outcome, Target
from mayfly.engine.job import Job
from mayfly.engine.templates import Templates
from mayfly.errors import PlatformError
from mayfly.sandbox.api import Exit, SandboxFactory

Instance_contra = TypeVar("Instance_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Host:
    """What all instances of one engine share."""

    factory: SandboxFactory
    templates: Templates
    observer: Observer
    clock: Clock
    init_timeout_s: float
    endpoints: EndpointServer | None


@dataclass(frozen=True, slots=True)
class Lent:
    """What a borrower gets of an instance: descriptors to copy, which stay the instance's."""

    instance: str
    target: Target
    control: int
    output: int
    peak: int | None
    idle_since: float  # Unix seconds: nothing of a call is younger


@dataclass(frozen=True, slots=True)
class LentPlaces:
    """What a borrower gets that runs some of an instance's calls."""

    lease: str
    instance: str
    target: Target
    places: int
    end: socket.socket | None  # the borrower's; None: he has it, and gets more places
    peak: int | None  # a descriptor to copy


class Keeper(Protocol[Instance_contra]):
    """Who lent an instance to others."""

    async def bury(self, instance: Instance_contra, how: Exit) -> None:
        """The instance died while it was lent; return when its ends are read out, and may be closed."""

    def freed(self, instance: Instance_contra, number: int) -> None:
        """The places of a share whose borrower is gone are free."""


class Owner(Protocol[Instance_contra]):
    """The engine as its instances see it. Called on the loop; must not raise."""

    async def room(self) -> None:
        """Return when the memory that was promised is free."""

    def provisioned(self, instance: Instance_contra) -> None:
        """Its sandbox runs."""

    def unprovisioned(self, instance: Instance_contra, job: Job, error: Exception) -> None:
        """It could not be started; the job is without an instance. Not called where there was no job."""

    def ready(self, instance: Instance_contra) -> None:
        """Its code is loaded; what it is to do comes next."""

    def initialized(self, instance: Instance_contra) -> None:
        """It was made for no call, and is idle."""

    def answered(self, instance: Instance_contra, job: Job, outcome: Outcome) -> None:
        """A call ended; the instance is idle, or ending, or runs others."""

    def frozen(self, instance: Instance_contra, memory_mb: int) -> None:
        """It was idle, and runs nothing until `thaws`; its memory will be `memory_mb` at most."""

    def thaws(self, instance: Instance_contra) -> None:
        """It is about to run again."""

    def relieved(self, instance: Instance_contra) -> None:
        """It runs calls and may be handed more from now on, or is idle, without that one was answered."""

    def unstarted(self, instance: Instance_contra, job: Job) -> None:
        """A call that waited at the instance did not begin before that ended."""

    def lost(self, instance: Instance_contra, job: Job, error: PlatformError) -> None:
        """A call was cut off by the platform itself."""

    def repeat_init(self, instance: Instance_contra, job: Job) -> None:
        """Init failed: the call needs another instance."""

    def ended(self, instance: Instance_contra) -> None:
        """It takes no call any more and its processes are being killed."""

    def gone(self, instance: Instance_contra) -> None:
        """Nothing of it is left."""
