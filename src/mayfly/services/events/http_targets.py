"""What deliveries need of API destinations: the seam between a rule's target and the request that it becomes.

`deliveries` decides when to try, to try again and to give up; an `HttpTargets` makes one attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mayfly.store.api import Reader

DELIVER_WITHIN_S = 30.0  # an attempt takes no longer, whatever the endpoint does


@dataclass(frozen=True, slots=True)
class HttpDelivery:
    """One event for one API destination."""

    body: bytes  # JSON: the event, or what the target makes of it
    path_values: tuple[str, ...] = ()  # one for each `*` of the endpoint's path
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    event: bytes | None = None  # as it was put on the bus, where `body` is something else


class HttpTargetError(Exception):
    """An attempt failed.

    `code` is what dead letters say (`ERROR_CODE`): "SDK_CLIENT_ERROR" for an answer 4xx, "ERROR_FROM_TARGET" for 5xx,
    "CONNECTION_FAILURE", "TIMEOUT", "NO_RESOURCE", "NO_PERMISSIONS" (the connection is not authorized).
    `retry` says whether another attempt may fare better (AWS: after 409, 429 and 5xx, and where nobody answered);
    `after_s` how long the endpoint asked to be left alone (`Retry-After`); `counted` whether the attempt counts, which
    one that the destination's own rate limit held back does not.
    """

    def __init__(
        self, code: str, message: str, *, retry: bool, after_s: float | None = None, counted: bool = True
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry = retry
        self.after_s = after_s
        self.counted = counted


class HttpTargets(Protocol):
    """API destinations as targets of rules."""

    def exists(self, reader: Reader, arn: str) -> bool:
        """Whether there is an API destination of that ARN."""

    async def deliver(self, arn: str, delivery: HttpDelivery) -> None:
        """Make one attempt, within `DELIVER_WITHIN_S`; `HttpTargetError` unless the endpoint took the event (2xx)."""
