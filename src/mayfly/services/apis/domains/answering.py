"""Answers requests for custom domain names: finds the mapping, and hands the request to whoever answers for its API."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from msgspec.structs import replace

from mayfly.services.apis.directory import Directory
from mayfly.services.apis.domains import matching
from mayfly.services.apis.domains.book import Book
from mayfly.services.apis.door import forbidden
from mayfly.services.apis.parts import Answering
from mayfly.services.contract import HttpRequest, HttpResponse


@runtime_checkable
class Below(Protocol):
    """A kind of API that wants to know of mappings; the others get the request as if it had named the stage."""

    async def answer_below(
        self, api_id: str, stage_name: str, request: HttpRequest, base_path: str, rest: str
    ) -> HttpResponse: ...


class DomainNames:
    """`parts.DomainAnswering`."""

    def __init__(self, book: Book, directory: Directory, answers: Mapping[str, Answering]) -> None:
        """`answers`: of each kind of API."""
        self._book = book
        self._directory = directory
        self._answers = answers

    def knows(self, host: str) -> bool:
        """See `parts.DomainAnswering`."""
        return bool(self._book.names) and self._book.of(host) is not None

    async def answer(self, host: str, request: HttpRequest) -> HttpResponse:
        """See `parts.DomainAnswering`."""
        found = matching.match(self._book.of(host) or (), request.path)
        if found is None:
            return forbidden()
        mapping, rest = found
        stage = mapping.stage
        if not stage:
            stage, _, below = rest[1:].partition("/")
            rest = f"/{below}"
        kind = self._directory.kind(mapping.api_id)
        answering = self._answers.get(kind) if kind is not None else None
        if answering is None:
            return forbidden()
        if isinstance(answering, Below):
            return await answering.answer_below(mapping.api_id, stage, request, mapping.path, rest)
        return await answering.answer(mapping.api_id, replace(request, path=f"/{stage}{rest}"))
