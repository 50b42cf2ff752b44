"""Domain names and their mappings: as rows, and in memory, where every request asks for them.

This process alone writes them; what is in memory follows each commit.
"""

from collections.abc import Iterable
from collections.abc import Mapping as Map

import msgspec

from mayfly.services.apis.domains import faults
from mayfly.services.apis.domains import statements as sql
from mayfly.services.apis.domains.model import MAX_DOMAINS, MAX_MAPPINGS, Domain, Mapping
from mayfly.store.api import Reader, Store, Tx

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Domain).decode


def find(reader: Reader, name: str) -> Domain:
    """The domain name; NotFoundException."""
    row = reader.one(sql.FIND, {"name": name})
    if row is None:
        raise faults.no_domain()
    return _decode(row[0])


def page(reader: Reader, after: str, limit: int) -> list[Domain]:
    """Up to `limit` domain names in order, after the one named."""
    return [_decode(row[0]) for row in reader.all(sql.LIST, {"after": after, "limit": limit})]


def mappings(reader: Reader, name: str) -> list[Mapping]:
    """The mappings of a domain name, in the order of their paths."""
    return [Mapping(*row) for row in reader.all(sql.MAPPINGS, {"domain": name})]


def put(tx: Tx, domain: Domain) -> None:
    """Write a domain name's own members."""
    tx.run(sql.PUT, {"name": domain.name, "document": _encode(domain)})


class Book:
    """`open` it before anything is served."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, dict[str, Mapping]] = {}  # by name, then by id

    async def open(self) -> None:
        """Read what there is."""

        def body(reader: Reader) -> tuple[list[Domain], list[tuple[str, str, str, str, str]]]:
            return page(reader, "", MAX_DOMAINS + 1), reader.all(sql.ALL_MAPPINGS)

        domains, rows = await self.store.read(body)
        self._known = {domain.name: {} for domain in domains}
        for name, *mapping in rows:
            self._known.setdefault(name, {})[mapping[0]] = Mapping(*mapping)

    def of(self, host: str) -> Iterable[Mapping] | None:
        """The mappings of a host; None: it is no domain name of an API."""
        found = self._known.get(host)
        if found is None:
            found = self._known.get(f"*.{host.partition('.')[2]}")
        return None if found is None else found.values()

    @property
    def names(self) -> Map[str, object]:
        return self._known

    def add(self, tx: Tx, domain: Domain, *, again: bool) -> Domain:
        """A new domain name. Where the name is taken, what has it if this is done `again`, else ConflictException."""
        if tx.one(sql.FIND, {"name": domain.name}) is not None:
            if again:
                return find(tx, domain.name)
            raise faults.exists()
        count = tx.one(sql.COUNT)
        if count is not None and count[0] >= MAX_DOMAINS:
            raise faults.bad(f"Maximum number of domain names for this account has been reached: {MAX_DOMAINS}.")
        put(tx, domain)

        def enter() -> None:
            self._known.setdefault(domain.name, {})

        tx.after_commit(enter)
        return domain

    def remove(self, tx: Tx, name: str) -> None:
        """Delete a domain name with its mappings; NotFoundException."""
        find(tx, name)
        tx.run(sql.DELETE, {"name": name})
        tx.run(sql.DELETE_MAPPINGS, {"domain": name})

        def strike() -> None:
            self._known.pop(name, None)

        tx.after_commit(strike)

    def add_mapping(self, tx: Tx, name: str, mapping: Mapping, *, again: bool) -> Mapping:
        """A new mapping; if this is done `again`, one that says the same. ConflictException."""
        if again:
            for other in mappings(tx, name):
                if msgspec.structs.replace(other, id=mapping.id) == mapping:
                    return other
        self.map(tx, name, mapping)
        return mapping

    def map(self, tx: Tx, name: str, mapping: Mapping) -> None:
        """Write a mapping, new or changed; ConflictException when its path is another's."""
        find(tx, name)
        others = [other for other in mappings(tx, name) if other.id != mapping.id]
        if any(other.path == mapping.path for other in others):
            raise faults.path_taken()
        if len(others) >= MAX_MAPPINGS:
            raise faults.bad(f"Maximum number of mappings for this domain name has been reached: {MAX_MAPPINGS}.")
        row = {"path": mapping.path, "api_id": mapping.api_id, "stage": mapping.stage}
        tx.run(sql.PUT_MAPPING, {"domain": name, "mapping_id": mapping.id, **row})

        def enter() -> None:
            self._known.setdefault(name, {})[mapping.id] = mapping

        tx.after_commit(enter)

    def unmap(self, tx: Tx, name: str, mapping_id: str) -> None:
        """Delete a mapping; NotFoundException."""
        find(tx, name)
        if not tx.run(sql.DELETE_MAPPING, {"domain": name, "mapping_id": mapping_id}):
            raise faults.no_mapping()

        def strike() -> None:
            self._known.get(name, {}).pop(mapping_id, None)

        tx.after_commit(strike)
