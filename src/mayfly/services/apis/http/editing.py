"""What all operations on the parts of an API have in common: found, made, changed, listed and deleted, each in one
transaction, with the deployment that follows from it."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from mayfly import ids
from mayfly.clock import Clock, utc
from mayfly.services import page_tokens
from mayfly.services.apis.http import catalog, deploying, faults
from mayfly.services.apis.http.model import DEPLOYED, Api, Kind, Members, Part
from mayfly.services.contract import RequestContext
from mayfly.store.api import Reader, Store, Tx

PAGE = 500
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
Check = Callable[[Tx, Api, Part], None]
# What a document calls the id of a part.
ID_OF: Mapping[Kind, str] = {
    "authorizer": "AuthorizerId",
    "deployment": "DeploymentId",
    "integration": "IntegrationId",
    "integration-response": "IntegrationResponseId",
    "model": "ModelId",
    "route": "RouteId",
    "route-response": "RouteResponseId",
    "stage": "StageName",
}


class Editing:
    """Given to all groups of operations. `forget` is told of every API whose rows changed, after the commit."""

    def __init__(self, store: Store, clock: Clock, forget: Callable[[str], None]) -> None:
        self.store = store
        self._clock = clock
        self.forget = forget

    def now(self) -> datetime:
        return utc(int(self._clock.now()))

    def tell(self, tx: Tx, api_id: str) -> None:
        """Have what is kept in memory of the API forgotten when the caller's body is durable."""
        tx.after_commit(lambda: self.forget(api_id))

    def changed(self, tx: Tx, api_id: str) -> None:
        """What the API does has changed."""
        deploying.changed(tx, api_id, self.now())
        self.tell(tx, api_id)

    async def create(
        self, context: RequestContext, api_id: str, kind: Kind, members: Members, check: Check, parent: str = ""
    ) -> Part:
        """Make a part; who asks twice for what it calls the same gets what there is."""
        given = named(context, 7)
        made = Part(kind, given or ids.token(7), members, parent)

        def body(tx: Tx) -> Part:
            api = catalog.api(tx, api_id)
            before = catalog.find(tx, api_id, kind, made.id, parent) if given is not None else None
            if before is not None:
                return before
            check(tx, api, made)
            catalog.add(tx, api_id, made)
            self._after(tx, api_id, kind)
            return made

        return await self.store.write(body)

    async def update(
        self,
        api_id: str,
        kind: Kind,
        part_id: str,
        change: Callable[[Members], Members],
        check: Check,
        parent: str = "",
    ) -> Part:
        """Change a part; NotFoundException."""

        def body(tx: Tx) -> Part:
            api = catalog.api(tx, api_id)
            before = catalog.part(tx, api_id, kind, part_id, parent)
            after = replace(before, members=change(before.members))
            check(tx, api, after)
            catalog.put(tx, api_id, after)
            self._after(tx, api_id, kind)
            return after

        return await self.store.write(body)

    async def get(self, api_id: str, kind: Kind, part_id: str, parent: str = "") -> Part:
        """A part; NotFoundException."""
        return await self.store.read(lambda reader: catalog.part(reader, api_id, kind, part_id, parent))

    async def list(self, request: Mapping[str, Any], kind: Kind, parent: str = "") -> dict[str, Any]:
        """A page of parts as the API shows them."""
        api_id, limit, after = request["ApiId"], page_limit(request), page_after(request)

        def body(reader: Reader) -> list[Part]:
            catalog.api(reader, api_id)
            return catalog.page(reader, api_id, kind, parent, after, limit + 1)

        found = await self.store.read(body)
        reply: dict[str, Any] = {"Items": [shown(part) for part in found[:limit]]}
        if len(found) > limit:
            reply["NextToken"] = page_tokens.encode(found[limit - 1].id)
        return reply

    async def delete(
        self,
        api_id: str,
        kind: Kind,
        part_id: str,
        parent: str = "",
        *,
        check: Callable[[Tx], None] = lambda tx: None,
        children: Kind | None = None,
    ) -> dict[str, Any]:
        """Delete a part, with the responses that are its own; NotFoundException."""

        def body(tx: Tx) -> None:
            catalog.part(tx, api_id, kind, part_id, parent)
            check(tx)
            catalog.remove(tx, api_id, kind, part_id, parent)
            if children is not None:
                catalog.remove_children(tx, api_id, children, part_id)
            self._after(tx, api_id, kind)

        await self.store.write(body)
        return {}

    def _after(self, tx: Tx, api_id: str, kind: Kind) -> None:
        if kind in DEPLOYED:
            self.changed(tx, api_id)
        else:
            self.tell(tx, api_id)


def shown(part: Part) -> dict[str, Any]:
    """A part as the API shows it."""
    return {**part.members, ID_OF[part.kind]: part.id}


def named(context: RequestContext, length: int) -> str | None:
    """The id of what the caller names what it wants made: the same for every attempt. None: it names it nothing."""
    if context.once is None:
        return None
    number = int.from_bytes(hashlib.sha256(context.once.encode()).digest(), "big")
    characters = []
    for _ in range(length):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)


def picked(request: Mapping[str, Any], fields: Iterable[str]) -> Members:
    """The members of a request that are kept."""
    return {name: request[name] for name in fields if name in request}


def page_limit(request: Mapping[str, Any]) -> int:
    """How many a page may hold; BadRequestException."""
    text = request.get("MaxResults")
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 9 and int(text) > 0):
        raise faults.bad("Invalid maxResults specified: it must be a positive number")
    return min(int(text), PAGE)


def page_after(request: Mapping[str, Any]) -> str:
    """Where a page begins; BadRequestException."""
    return page_tokens.after(request.get("NextToken"), faults.bad_page)
