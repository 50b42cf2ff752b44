"""What one function may reach, what it did reach, and what it was refused, for its page."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mayfly.egress.book import Book
from mayfly.services.contract import ServiceError
from mayfly.services.functions.egress import FunctionEgress


class Reach:
    """Looks at one function of a running platform."""

    def __init__(self, egress: FunctionEgress, book: Book) -> None:
        self._egress = egress
        self._book = book

    def of(self, arn: str, tags: Mapping[str, str], runtime: str, level: str) -> dict[str, Any]:
        """`allowed` in the words of tags; why there is none, where it cannot be; since the server started, the rest."""
        traffic = self._book.of(arn)
        return {
            **self._allowed(tags, runtime, level),
            "connections": traffic.connections,
            "sent_bytes": traffic.sent_bytes,
            "received_bytes": traffic.received_bytes,
            "refused_destinations": [asdict(one) for one in traffic.refused.values()],
        }

    def _allowed(self, tags: Mapping[str, str], runtime: str, level: str) -> dict[str, Any]:
        if level == "process":
            return {"allowed": "the machine's network: nothing is isolated", "refused": None}
        try:
            return {"allowed": str(self._egress.of(tags, runtime)), "refused": None}
        except ServiceError as error:
            return {"allowed": "none", "refused": error.message}
