"""`ports.EventTargets`: log groups that keep events. One line an event, in a stream a day."""

from typing import Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.ids import Arn
from mayfly.services.contract import ServiceError
from mayfly.services.ports import PLAIN, LogLines, TargetOptions
from mayfly.services.telemetry import faults
from mayfly.services.telemetry.book import Book, find_group
from mayfly.store.api import Reader, Store, Tx

_PREFIX = "log-group:"


class LogEventTargets:
    """Log groups as targets of events. A group must be there; its streams come by themselves."""

    def __init__(self, store: Store, book: Book, clock: Clock) -> None:
        self._store = store
        self._book = book
        self._clock = clock

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """`ServiceError` ResourceNotFoundException."""
        name = _group(arn)

        def body(reader: Reader) -> bool:
            return find_group(reader, name) is not None

        if not await self._store.read(body):
            raise faults.group_missing()

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        """Write one line. An object of `timestamp` and `message` alone, as input transformers make it for logs, is a
        line that says so; anything else is the line itself, of now."""
        name = _group(arn)
        if find_group(tx, name) is None:
            raise faults.group_missing()
        now = self._clock.now()
        at_ms, message = _line(event, int(now * 1000))
        self._book.fold(tx, [LogLines(name, utc(now).strftime("%Y/%m/%d/events"), [(at_ms, message)])])


def _group(arn: str) -> str:
    resource = Arn.parse(arn).resource
    if not resource.startswith(_PREFIX):
        raise ServiceError("ValidationException", f"{arn} is no log group.")
    return resource.removeprefix(_PREFIX).removesuffix(":*")


def _line(event: bytes, now_ms: int) -> tuple[int, str]:
    try:
        fields: Any = msgspec.json.decode(event)
    except msgspec.DecodeError:
        fields = None
    if isinstance(fields, dict) and fields.keys() == {"timestamp", "message"}:
        at, message = fields["timestamp"], fields["message"]
        at_ms = int(at) if isinstance(at, int) or (isinstance(at, str) and at.isdecimal()) else now_ms
        return at_ms, message if isinstance(message, str) else msgspec.json.encode(message).decode()
    return now_ms, event.decode()
