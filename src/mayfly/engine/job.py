"""A call on its way through the engine, from acceptance to its outcome."""

import asyncio

import msgspec

from mayfly.engine.api import Call, Outcome, Target
from mayfly.engine.streamed import Streamed


class Job(msgspec.Struct, eq=False):
    """One accepted call. Its future belongs to the caller, who may have cancelled it: the job runs on regardless."""

    target: Target
    call: Call
    future: asyncio.Future[Outcome]
    accepted_at: float  # monotonic seconds
    init_repeated: bool = False  # its first instance did not get through init, and was replaced
    recalled: bool = False  # idle instances that were lent have been called back for it
    provisioned: bool = False  # a provisioned instance took it, so no limit counts it
    into: Streamed | None = None  # where a result goes that comes in parts; None: it is collected
    waits_since: float | None = None  # for memory, or its turn

    def resolve(self, outcome: Outcome) -> None:
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)
