"""What is asked of everything that is measured, Mayfly and peers alike, and what is told about it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Kind = Literal["hello", "pandas"]
KINDS: tuple[Kind, ...] = ("hello", "pandas")
OURS = "function-url"  # the name of what is measured like a peer and is none


@dataclass(frozen=True)
class Target:
    """A request that can be sent again and again, and the only right reply to it."""

    port: int
    request: bytes
    body: bytes
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class About:
    """What a reader must know of a peer to judge its figures."""

    name: str  # as on the command line
    title: str
    requires: tuple[str, ...]  # `name==version` from its registry, or the name of a system package
    language: Literal["Python", "JavaScript"]
    isolates: str
    signatures: str  # does it check who calls: "no", or how
    logs: str
    meters: str
    serves: str  # how it was set up for warm calls
    cold: str  # exactly what its cold start is
    instance: str  # what one more idle instance is


class Subject(Protocol):
    """Something that serves the functions now. None for what it has no notion of."""

    def target(self) -> Target:
        """Warm calls of hello."""

    def cold(self, kind: Kind) -> float | None:
        """Milliseconds from where nothing runs that could serve this function to its right reply."""

    def add(self, kind: Kind, count: int) -> int:
        """Have `count` more idle instances of a function of this kind; how many more there are, 0 where it has none."""


class Peer(Protocol):
    """Something that can be installed and run."""

    @property
    def about(self) -> About: ...

    def missing(self) -> str | None:
        """What the machine lacks for it, as an instruction; None when nothing."""

    def install(self, home: Path) -> None:
        """Have its pinned packages under `home`; quick when they are there."""

    def running(self, home: Path) -> AbstractContextManager[Subject]:
        """Serve the functions; afterwards none of its processes is left."""
