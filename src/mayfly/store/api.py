"""What durable state looks like to the rest of Mayfly: transactions, the ready queue and blobs.

Services depend on these Protocols; `store.sqlite`, `store.queue` and `store.files` implement them, and `app.py` picks.
The conformance suites under `tests/store` run against every implementation.

Theory of operation. All writes go through `Store.write`, which takes a *body*: a plain function of a transaction. Many
bodies, of many requests, share one database transaction and one fsync (group commit); each body runs under its own
savepoint, so one that raises leaves no trace and disturbs nobody. `write` returns only after the group is durable:
what it returned may be acknowledged. Bodies run in the store's writer thread, one at a time, in order of arrival. They
must be short, must not block on anything else, must not touch the event loop, and may be run again from the start by a
dialect that retries serialisation failures: they have no effect outside the transaction other than `after_commit`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

from mayfly.errors import PlatformError

T = TypeVar("T")
Row = tuple[Any, ...]
Params = Mapping[str, Any]
NO_PARAMS: Params = MappingProxyType({})


class StoreClosedError(PlatformError):
    """The store was closed while, or before, the call was made; nothing of the call was written."""


class StoreBusyError(PlatformError):
    """Too much work waits already, or another process holds the database; nothing of the call was written."""


class StorageFullError(PlatformError):
    """The disk under the data directory is full; nothing of the call was written. Free some space and try again."""


class StorageFailedError(PlatformError):
    """The disk under the data directory, or a file on it, failed; the message says how."""


class ConstraintError(PlatformError):
    """A statement broke a constraint of the schema. Bodies let it pass, which undoes them; where a clash is expected,
    say `ON CONFLICT` instead."""


class JournalFullError(PlatformError):
    """Folding fell so far behind that a journal refuses records; nothing of the call was recorded."""


class StaleClaimError(PlatformError):
    """The lease ran out and somebody else may hold the item now; the effect must not be committed."""


class BlobNotFoundError(PlatformError):
    """No blob with that digest is stored."""


class Reader(Protocol):
    """A consistent snapshot. Statements use named parameters (`:name`) and portable SQL."""

    def one(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        """All rows. Callers bound the count with LIMIT."""


class Tx(Reader, Protocol):
    """A `Reader` that also writes and sees its own writes."""

    def run(self, sql: str, params: Params = NO_PARAMS) -> int:
        """Execute one statement; the number of rows that it changed."""

    def many(self, sql: str, rows: Iterable[Params]) -> int:
        """Execute one statement once a row; the number of rows that all of them changed."""

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop once this body is durable; never when it was rolled back."""


class Store(Protocol):
    """One database. Opened with its migrations applied; closed once."""

    async def write(self, body: Callable[[Tx], T]) -> T:
        """Run `body` in a group commit; its value once durable. Whatever `body` raises is raised here, undone."""

    async def read(self, body: Callable[[Reader], T]) -> T:
        """Run `body` on a snapshot that holds everything acknowledged before the call, in a reader thread."""

    async def close(self) -> None:
        """Finish the writes that were accepted, then close; later calls raise `StoreClosedError`."""


class Claim(NamedTuple):
    """One item of the ready queue, held by this process until `lease_until` (Unix seconds)."""

    id: int
    queue: str
    payload: bytes
    attempt: int  # 1 on the first delivery
    epoch: int  # rises with every claim; a completion with an older one is refused
    enqueued_at: float
    lease_until: float


class NewItem(NamedTuple):
    """An item to enqueue."""

    queue: str
    payload: bytes
    ready_at: float | None = None  # Unix seconds; None means now
    priority: int = 0  # higher first


class DeadItem(NamedTuple):
    """An item that was given up on."""

    id: int
    queue: str
    payload: bytes
    attempts: int
    reason: str
    enqueued_at: float
    died_at: float


class Taken(NamedTuple):
    """What a claim from one of several queues gave."""

    claims: list[Claim]
    next_due: float  # when there is more to be had (Unix seconds): 0 for now, infinity for never as things are


class Vault(Protocol):
    """What is secret, or may be, at rest. Given by the composition root; used by any thread."""

    def seal(self, plain: bytes, about: str) -> bytes:
        """Encrypt a secret for one use, e.g. the ARN of what it belongs to."""

    def open(self, sealed: bytes, about: str) -> bytes:
        """What was sealed for that very use; `PlatformError` when it cannot be read any more."""

    def fingerprint(self, plain: bytes, about: str) -> bytes:
        """32 bytes to find a secret by: the same for the same secret and use. Without the key they tell nothing."""


class ReadyQueue(Protocol):
    """The one durable primitive under everything asynchronous. Delivery is at least once.

    Methods that take a `Tx` take part in the caller's transaction, so that an effect and the completion of the item
    that caused it are one commit. An item is *ready* from `ready_at` on, *leased* while claimed, ready again when its
    lease runs out, which counts as its `ready_at` from then on. A claim is lost once the item was claimed again, given
    back or removed; a lease that ran out unnoticed still counts. Payloads are sealed at rest. One that cannot be opened
    is claimed by nobody and kept, so that it is delivered once the key is back and the server was started again.
    """

    def enqueue(self, tx: Tx, items: Sequence[NewItem]) -> list[int]:
        """Add `items`; their ids, rising. Waiters of their queues wake after the commit."""

    async def claim(self, queue: str, limit: int, lease_s: float) -> list[Claim]:
        """Lease up to `limit` ready items: higher priority first, then earlier `ready_at`, then lower id."""

    async def claim_each(self, wanted: Sequence[tuple[str, int]], lease_s: float) -> list[Taken]:
        """`claim` from several queues, each with a limit of its own, in one transaction."""

    async def claim_items(self, ids: Sequence[int], lease_s: float) -> list[Claim]:
        """Lease these items, ready or not, but for those that are leased or gone."""

    async def extend(self, claim: Claim, lease_s: float) -> Claim:
        """The claim with its lease moved to now + `lease_s`; `StaleClaimError` if it was lost."""

    def complete(self, tx: Tx, claim: Claim) -> None:
        """Remove the item; `StaleClaimError` (which undoes the caller's body) if the claim was lost."""

    def complete_all(self, tx: Tx, claims: Sequence[Claim]) -> None:
        """`complete` many; `StaleClaimError` if any of them was lost."""

    def retry(self, tx: Tx, claim: Claim, ready_at: float) -> None:
        """Give the item back, ready from `ready_at`; `StaleClaimError` if the claim was lost."""

    def bury(self, tx: Tx, claim: Claim, reason: str) -> None:
        """Move the item to the dead items of its queue; `StaleClaimError` if the claim was lost."""

    async def dead(self, queue: str, limit: int, after_id: int = 0) -> list[DeadItem]:
        """Dead items with an id above `after_id`, in order of id; `PlatformError` when one cannot be opened."""

    def exhume(self, tx: Tx, item_id: int) -> DeadItem | None:
        """Remove a dead item, and return it; None when there is none. `PlatformError` when it cannot be opened."""

    def forget(self, tx: Tx, ids: Sequence[int]) -> None:
        """Remove dead items for good. Idempotent."""

    async def queues(self, prefix: str) -> list[str]:
        """The queues that have items and whose names begin so, in order. Costs what it returns."""

    async def depth(self, queue: str) -> int:
        """How many items are ready, delayed or leased. Counts them all: for tests and pages, not for every delivery."""

    async def is_empty(self, queue: str) -> bool:
        """Whether there is no item, be it ready, delayed or leased. Costs the same however many there are."""

    async def wait(self, queue: str, timeout_s: float) -> None:
        """Return when an item of `queue` may be ready, or after `timeout_s`; spurious returns are allowed.

        Wakes for a fresh item, for a delayed one that falls due and for a lease that runs out, without polling.
        """


# What `Blobs.put_with` takes is kept beside the rows up to this size. Larger, the database would write more bytes twice
# than a file costs in syncs.
SMALL_BLOB_BYTES = 32 * 1024


class Blob(NamedTuple):
    """Immutable bytes, named by what they are."""

    digest: str  # SHA-256, 64 lower-case hexadecimal digits
    size: int  # bytes


class Hasher(Protocol):
    """What `hashlib` and checksum objects have in common."""

    def update(self, data: bytes, /) -> object: ...


class Blobs(Protocol):
    """Content-addressed bytes. A blob lives while it has an owner; the rest is swept after a grace period."""

    async def put(self, chunks: AsyncIterator[bytes], hashers: Sequence[Hasher] = ()) -> Blob:
        """Store what `chunks` yields; durable on return. `hashers` see every byte, off the event loop.

        Nothing is stored when `chunks` raises. Memory stays bounded whatever the size.
        """

    async def put_bytes(self, data: bytes) -> Blob:
        """`put` for bytes that are already in memory."""

    async def put_with(
        self, chunks: AsyncIterator[bytes], then: Callable[[Blob], Callable[[Tx], T]], hashers: Sequence[Hasher] = ()
    ) -> T:
        """`put`, and the write of what needs the blob, in one commit; the value of that write.

        `then` is called on the event loop once the hashers have seen every byte, and gives the body to run in the
        transaction that records the blob. Nothing is stored when `chunks`, `then` or the body raises. The body may
        link the blob. Up to `SMALL_BLOB_BYTES` the bytes themselves are part of that transaction.
        """

    def at_hand(self, reader: Reader, digest: str) -> bytes | None:
        """The bytes of a small blob that the snapshot itself holds; None says only that `read` must fetch them."""

    def read(self, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes `start` (inclusive) to `end` (exclusive; None: the last), in chunks; `BlobNotFoundError`."""

    async def read_bytes(self, digest: str) -> bytes:
        """The whole blob. For sizes that the caller knows to be small."""

    def link(self, tx: Tx, digest: str, owner: str) -> None:
        """Record that `owner` (any string unique to the referrer) needs the blob. Idempotent."""

    def unlink(self, tx: Tx, digest: str, owner: str) -> None:
        """Take that back. Idempotent."""

    async def sweep(self, grace_s: float) -> int:
        """Delete blobs without an owner that were last put more than `grace_s` ago; how many."""


class Journal(Protocol):
    """An append-only file in front of the database, for records that are many and small (logs, usage).

    `append` is one `write(2)`: what it returned from survives the death of this process, and, after the next periodic
    fsync, of the machine. A background task folds the records into the database in batches; position and effect are
    one commit, so each record is folded exactly once, also when a crash falls in between. Opening a journal resumes
    where the last commit left off. A torn record at the end of the file is dropped.
    """

    def append(self, records: Sequence[bytes]) -> None:
        """Add records in order."""

    async def flush(self) -> None:
        """Return when everything appended before the call is in the database; `StorageFullError` when that waits for
        room on the disk."""

    async def close(self) -> None:
        """`flush`, then release the file."""
