"""How a front runs a function: on an instance that was lent to it, or else by asking the core.

`Calls` does what `invoker.Invoker` does in the core and raises what it raises; the operations above do not know which
of the two they have.
"""

from typing import Any

from mayfly.front import messages
from mayfly.front.entries import Ask, FrontTarget
from mayfly.front.leases import NoLeaseError
from mayfly.front.refusals import error_of
from mayfly.http.api import ElsewhereError
from mayfly.services.functions import recursion
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.catalog import Entry
from mayfly.services.functions.invoker import Invocation, Invoker
from mayfly.services.functions.results import Result
from mayfly.services.functions.tracing import undecided


class Calls:
    """`invoker` runs calls on leased instances; `ask` puts a question to the core."""

    def __init__(self, invoker: Invoker, ask: Ask) -> None:
        self._invoker = invoker
        self._ask = ask

    async def invoke(self, entry: Entry, asked: Asked) -> Invocation:
        """See `Invoker.invoke`."""
        target = entry.target
        if isinstance(target, FrontTarget) and _mine(target, asked):
            try:
                return await self._invoker.invoke(entry, asked)
            except NoLeaseError:
                pass
        ran: Any = await self._ask(lambda number: messages.Run(number, entry.function.name, entry.qualifier, asked))
        assert isinstance(ran, messages.Ran)
        if ran.refusal is not None:
            raise error_of(ran.refusal, target)
        result = Result(ran.payload, failed=ran.failed)
        return Invocation(
            result, ran.tail, ran.version, ran.failure, durable_arn=ran.durable_arn, trace_id=ran.trace_id
        )

    def trace_of(self, entry: Entry, header: str | None) -> str:
        """See `Invoker.trace_of`. Whether to sample is decided in one place, so that it is once a second."""
        if entry.target.traced and undecided(header):
            raise ElsewhereError
        return self._invoker.trace_of(entry, header)


def _mine(target: FrontTarget, asked: Asked) -> bool:
    """Whether a front may run a call. The core decides what is sampled, and counts loops, which it refuses."""
    decided = not (target.traced and undecided(asked.trace_id))
    ends = recursion.turns(asked.trace_id, target.function) < recursion.MOST
    return target.local and not asked.tail and decided and ends
