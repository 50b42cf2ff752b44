"""Where the outside answers a stack: custom resources by a URL that they are given, wait conditions by that of their
handle, whoever signals a resource by SignalResource.

A *box* is opened ahead, durable, and named by what it is for, so that a restart finds it again; a *letter* in it is one
answer, the first under its id. Whoever waits for letters is woken by them, and looks at the disk, not at what woke it.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.services.stacks import statements
from mayfly.services.stacks.sealing import Reader, Store, Tx

PATH = "/_mayfly/stacks/"
CUSTOM, HANDLE, SIGNALS = "custom", "handle", "signals"  # kinds of boxes
MOST_BODY = 1024 * 1024  # bytes that are read; how much an answer may have, its reader says
MOST_LETTERS = 1000
ANSWER = "answer"  # the one letter in the box of a custom resource


class Letter(NamedTuple):
    id: str
    body: str
    at: float


class Box(NamedTuple):
    id: str
    stack_id: str
    kind: str
    key: str
    opened_at: float  # Unix seconds
    ends_at: float
    sent: int


class Addresses(NamedTuple):
    """How the platform is reached, no trailing slash."""

    outside: str
    inside: str  # by functions, over TLS and on the usual port: programs that answer stacks look at no other
    expect: Callable[[str], Awaitable[None]] | None = None  # is told the ARN of a function that will answer


def box_name(*parts: object) -> str:
    """The id of the box for what `parts` name, which is no secret: whoever guesses it knows that."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:40]


class Post:
    """Made by the service; resource types have it by `Around`."""

    def __init__(self, store: Store, clock: Clock, addresses: Addresses) -> None:
        self.addresses = addresses
        self._store = store
        self._clock = clock
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def open(self, name: str, stack_id: str, kind: str, lifetime_s: float) -> Box:
        """The box of that name, made if there is none."""
        now = self._clock.now()
        values = {
            "id": name,
            "stack_id": stack_id,
            "kind": kind,
            "opened_at": now,
            "ends_at": now + lifetime_s,
        }

        def write(tx: Tx) -> Box:
            sealed = tx.sealed(ids.token(40).encode(), f"box {name}")
            tx.run(statements.BOX_INSERT, {**values, "sealed_key": sealed})
            found = _box(tx, name)
            assert found is not None
            return found

        return await self._store.write(write)

    def secret_name(self, *parts: object) -> str:
        """`box_name` of parts that hold secrets."""
        return self._store.fingerprint("\0".join(map(str, parts)).encode(), "box").hex()[:40]

    def url(self, box: Box, base: str) -> str:
        """What to put an answer to, for somebody who reaches the platform at `base`."""
        return f"{base}{PATH}{box.id}?{urlencode({'Expires': int(box.ends_at), 'Signature': box.key})}"

    async def sent(self, name: str) -> None:
        """Remember that the question was asked."""

        def write(tx: Tx) -> None:
            tx.run(statements.BOX_SENT, {"id": name})

        await self._store.write(write)

    async def find(self, name: str) -> Box | None:
        return await self._store.read(lambda reader: _box(reader, name))

    async def letters(self, name: str) -> list[Letter]:
        return await self._store.read(lambda reader: letters_of(reader, name))

    async def arrive(self, name: str, count: int) -> list[Letter]:
        """The letters once there are `count`. For whoever is inside `call.waiting()`."""
        event = asyncio.Event()
        self._waiting.setdefault(name, set()).add(event)
        try:
            while len(found := await self.letters(name)) < count:
                await event.wait()
                event.clear()
            return found
        finally:
            self._waiting[name].discard(event)
            if not self._waiting[name]:
                del self._waiting[name]

    async def open_for(self) -> float:
        """For how many seconds answers of custom resources that were asked may come; 0: none are waited for."""
        row = await self._store.read(lambda reader: reader.one(statements.BOXES_OPEN_UNTIL, {"kind": CUSTOM}))
        ends_at: float | None = row[0] if row else None
        return 0.0 if ends_at is None else max(0.0, ends_at - self._clock.now())

    async def close(self, name: str) -> None:
        """Forget a box and what is in it."""

        def write(tx: Tx) -> None:
            _forget(tx, name)

        await self._store.write(write)

    def put(self, tx: Tx, name: str, letter: str, body: str) -> None:
        """Put a letter into a box, if there is none of its id."""
        sealed = tx.sealed(body.encode(), _letter_about(name, letter))
        tx.run(statements.LETTER_PUT, {"box": name, "id": letter, "sealed_body": sealed, "at": self._clock.now()})
        tx.after_commit(lambda: self._wake(name))

    def _wake(self, name: str) -> None:
        for event in self._waiting.get(name, ()):
            event.set()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer whoever puts something to a URL that `url` made. The key is in it, so nothing else is asked for."""
        if request.method != "PUT":
            return _refused(405, "MethodNotAllowed", "Answers are put.")
        name = request.path.removeprefix(PATH)
        key = parse_qs(request.query).get("Signature", [""])[0]
        box = await self._store.read(lambda reader: _box(reader, name))
        if box is None or not hmac.compare_digest(box.key.encode(), key.encode()):
            return _refused(403, "SignatureDoesNotMatch", "Nobody waits for this answer, or the URL is not whole.")
        if box.ends_at < self._clock.now():
            return _refused(403, "AccessDenied", "Request has expired")
        content = bytearray()
        async for part in request.body:
            content += part
            if len(content) > MOST_BODY:
                return _refused(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        body = bytes(content).decode(errors="replace")
        letter = ANSWER if box.kind == CUSTOM else _signal(body)
        if letter is None:
            return _refused(400, "InvalidRequest", "A signal has a UniqueId, and the Status SUCCESS or FAILURE.")

        def write(tx: Tx) -> None:
            if len(letters_of(tx, name)) < MOST_LETTERS:
                self.put(tx, name, letter, body)

        await self._store.write(write)
        return HttpResponse(200, [("content-length", "0")])


def signal_of(status: str, letter: str, reason: str = "", data: str = "") -> str:
    """A signal as those put them who have a handle's URL."""
    return json.dumps({"Status": status, "UniqueId": letter, "Reason": reason, "Data": data})


def letters_of(reader: Reader, name: str) -> list[Letter]:
    rows = reader.all(statements.LETTERS_OF, {"box": name})
    return [Letter(id_, reader.opened(sealed, _letter_about(name, id_)).decode(), at) for id_, sealed, at in rows]


def _letter_about(box: str, id_: str) -> str:
    return f"letter {box} {id_}"


def forget_boxes(tx: Tx, stack_id: str, kind: str = "") -> None:
    """Drop the boxes of a stack: those of a kind, or all."""
    for (name,) in tx.all(statements.BOXES_OF, {"stack_id": stack_id, "kind": kind}):
        _forget(tx, name)


def _forget(tx: Tx, name: str) -> None:
    tx.run(statements.LETTERS_FORGET, {"box": name})
    tx.run(statements.BOX_FORGET, {"id": name})


def _box(reader: Reader, name: str) -> Box | None:
    row = reader.one(statements.BOX_BY_ID, {"id": name})
    if row is None:
        return None
    id_, stack_id, kind, sealed_key, opened_at, ends_at, sent = row
    return Box(id_, stack_id, kind, reader.opened(sealed_key, f"box {id_}").decode(), opened_at, ends_at, sent)


def _signal(body: str) -> str | None:
    """The id of a signal; None if it is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("Status") not in ("SUCCESS", "FAILURE"):
        return None
    letter = found.get("UniqueId")
    return letter if isinstance(letter, str) and 0 < len(letter) <= 64 else None


def _refused(status: int, code: str, message: str) -> HttpResponse:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return HttpResponse(status, [("content-type", "application/xml")], text.encode())


__all__ = [
    "ANSWER", "CUSTOM", "HANDLE", "PATH", "SIGNALS", "Addresses", "Box", "Letter", "Post", "box_name", "forget_boxes",
    "letters_of", "signal_of",
]  # fmt: skip
