"""Events on their way: targets, and what tells of the platform."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mayfly.store.api import Tx


@dataclass(frozen=True, slots=True)
class MessageAttribute:
    """One attribute of a message of queues and topics."""

    data_type: str  # "String", "Number", "Binary", each with an optional ".suffix"
    value: str | bytes  # bytes where the type is binary


@dataclass(frozen=True, slots=True)
class Source:
    """On whose behalf a service acts."""

    principal: str  # the service, "sns.amazonaws.com"
    arn: str
    account: str


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What some kinds of target are told besides the event; the others ignore it."""

    group_id: str | None = None  # of FIFO queues and topics; fair queueing on standard ones
    deduplication_id: str | None = None
    source: str | None = None  # of event buses, whose event has what is sent as its detail; None: it is a whole event
    detail_type: str | None = None  # of event buses, likewise
    resources: tuple[str, ...] = ()  # of event buses, likewise
    subject: str | None = None  # of topics
    trace_header: str | None = None  # of functions and queues: the trace that the event is part of
    attributes: Mapping[str, MessageAttribute] = field(default_factory=dict)  # of queues and topics
    on_behalf_of: Source | None = None  # whom a Deny in a queue's or topic's policy may keep out; None: nobody asks


PLAIN = TargetOptions()


class EventTargets(Protocol):
    """Given by every service that events can be sent to, each for its own ARNs, and by the composition root for all of
    them; used by every source of events. An event is JSON: a function is invoked with it, a queue gets it as the
    body of a message, a topic as what is published."""

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """`ServiceError` unless `arn` names what exists and `principal` may send to on behalf of `source_arn`."""

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        """Accept one event as part of the caller's transaction: durable with it, acted upon after it.

        `ServiceError` when the target cannot take it (`arn` names nothing here; a FIFO queue without a group);
        nothing was written then.
        """


class DestinationCalls(Protocol):
    """Given by events, used by pipes: requests to API destinations."""

    async def deliver(
        self,
        arn: str,
        body: bytes,
        path_values: Sequence[str],
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> bytes:
        """Make one attempt; what the endpoint answered. `ServiceError` unless it took it (2xx).

        `path_values`: one for each `*` of its path.
        """


class PlatformEvents(Protocol):
    """Given by events, used by services that tell what happens to their resources: the default bus."""

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Put one event of the platform ("aws.s3", "Object Created") on the default bus, in the caller's transaction.

        Costs next to nothing while no rule or archive can match it. Never raises `ServiceError`.
        """


class Unheard:
    """`PlatformEvents` where there is no bus: for services that run alone."""

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Nobody listens."""


UNHEARD = Unheard()
