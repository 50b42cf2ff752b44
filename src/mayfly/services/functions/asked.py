"""What is asked of a function: one call, as whoever takes it hands it to whoever runs it, in whatever process."""

import msgspec

from mayfly.services.functions.recorder import Source


class Asked(msgspec.Struct, frozen=True):
    """One call."""

    payload: bytes
    request_id: str
    arn: str  # by which the function was called
    source: Source
    tail: bool = False  # the end of its log is wanted
    client_context: str | None = None
    trace_id: str | None = None  # None: it came without one
    durable_name: str | None = None  # of the execution of a durable function; None: any
    waits: bool = True  # whether for the end of that execution
    tenant: str | None = None  # on whose behalf; `tenancy.of_call` has looked at it
