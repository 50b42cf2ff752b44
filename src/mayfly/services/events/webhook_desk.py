"""Makes webhooks, and takes in what comes at their addresses.

Used by the pages of the composition root. A secret is sealed; a request that was signed at a time is taken once.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mayfly.clock import Clock
from mayfly.services.events import records, webhooks
from mayfly.services.events.errors import exists, limit, not_found
from mayfly.services.events.intake import Intake
from mayfly.services.events.model import BusKey
from mayfly.services.events.webhook_signatures import verify
from mayfly.services.events.webhooks import Stored, UnreadableBodyError, Webhook
from mayfly.services.ports import Vault
from mayfly.store.api import Reader, Store, Tx

MOST = 1000
MOST_BODY = 1024 * 1024
_ID_BYTES = 18  # an address is hard to guess, though it is the signature that counts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer: a status, and a sentence or the text that a third party asked to have back."""

    status: int
    said: str = ""
    challenge: str | None = None


class _UsedError(Exception):
    """The signature was used before."""


class WebhookDesk:
    """See the module."""

    def __init__(self, store: Store, vault: Vault, intake: Intake, clock: Clock, new_id: Callable[[], str]) -> None:
        self._store = store
        self._vault = vault
        self._intake = intake
        self._clock = clock
        self._new_id = new_id

    async def create(self, bus: BusKey, name: str, webhook: Webhook, secret: str | None) -> tuple[Stored, str]:
        """A new webhook and its secret, which is made up unless given; `ServiceError`."""
        chosen = secret or secrets.token_urlsafe(32)
        id_ = secrets.token_urlsafe(_ID_BYTES)
        stored = Stored(id_, bus, name, webhook, self._vault.seal(chosen.encode(), _about(id_)))

        def body(tx: Tx) -> None:
            records.bus_of(tx, bus)
            if webhooks.find_named(tx, bus.account, bus.region, name) is not None:
                raise exists("Webhook", name)
            row = tx.one(webhooks.COUNT, {"account": bus.account, "region": bus.region})
            if row is not None and row[0] >= MOST:
                raise limit()
            webhooks.insert(tx, stored)

        await self._store.write(body)
        return stored, chosen

    async def listed(self, account: str, region: str) -> list[Stored]:
        """All webhooks, by name."""
        return await self._store.read(lambda reader: webhooks.listed(reader, account, region, MOST))

    async def remove(self, account: str, region: str, name: str) -> None:
        """Take a webhook away, by its name or its id; ResourceNotFoundException."""

        def body(tx: Tx) -> None:
            found = webhooks.find_named(tx, account, region, name) or webhooks.find(tx, name)
            if found is None:
                raise not_found(f"Webhook {name} does not exist.")
            tx.run(webhooks.DELETE, {"id": found.id})
            tx.run(webhooks.FORGET_ALL, {"id": found.id})

        await self._store.write(body)

    async def take(self, id_: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Take a request in, if it is genuine. `headers` have lower-case names."""

        def read(reader: Reader) -> Stored | None:
            return webhooks.find(reader, id_)

        stored = await self._store.read(read)
        if stored is None:
            return Outcome(404, "there is no such webhook")
        secret = self._vault.open(stored.sealed, _about(id_))
        now = self._clock.now()
        verdict = verify(stored.webhook.scheme, stored.webhook.form, secret, headers, body, now)
        if verdict.reason:
            return Outcome(401, verdict.reason)
        try:
            detail = webhooks.detail_of(headers, body)
        except UnreadableBodyError as error:
            return Outcome(400, str(error))
        if stored.webhook.scheme == "slack" and detail.get("type") == "url_verification":
            return Outcome(200, challenge=str(detail.get("challenge", "")))
        event = webhooks.event_of(stored, detail, headers, self._new_id(), now)

        def once(tx: Tx) -> None:
            tx.run(webhooks.FORGET, {"now": now})
            if verdict.used and not tx.run(
                webhooks.SEE, {"webhook": id_, "digest": verdict.used, "until": verdict.until}
            ):
                raise _UsedError

        try:
            await self._intake.put(stored.bus, [event], once)
        except _UsedError:
            return Outcome(409, "this request was taken before")
        return Outcome(202)


def shown(stored: Stored) -> dict[str, Any]:
    """A webhook as it is listed."""
    return {
        "id": stored.id,
        "name": stored.name,
        "bus": stored.bus.name,
        "scheme": stored.webhook.scheme,
        "source": stored.webhook.source,
        "detail_type": stored.webhook.detail_type,
        "created_at": stored.webhook.created_at,
    }


def _about(id_: str) -> str:
    return f"webhook {id_}"
