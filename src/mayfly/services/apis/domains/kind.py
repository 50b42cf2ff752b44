"""Custom domain names, built."""

from collections.abc import Mapping

from mayfly.services.apis.domains.answering import DomainNames
from mayfly.services.apis.domains.book import Book
from mayfly.services.apis.domains.operations.base_paths import BasePathOperations, FormerDomainNameOperations
from mayfly.services.apis.domains.operations.domain_names import ApiMappingOperations, DomainNameOperations
from mayfly.services.apis.domains.stages import Stages
from mayfly.services.apis.parts import Answering, Kind, Parts


def domains_kind(parts: Parts, answers: Mapping[str, Answering]) -> Kind:
    """Domain names of APIs, which `answers` answer for by kind."""
    book = Book(parts.store)
    stages = Stages(parts.directory, parts.operations)
    return Kind(
        groups={
            "apigatewayv2": (DomainNameOperations(book), ApiMappingOperations(book, stages)),
            "apigateway": (FormerDomainNameOperations(book), BasePathOperations(book, stages)),
        },
        domains=DomainNames(book, parts.directory, answers),
        background=Opening(book),
    )


class Opening:
    """`parts.Background`: what is in memory is read before requests are served."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def start(self) -> None:
        await self._book.open()

    async def stop(self) -> None:
        """There is nothing to end."""
