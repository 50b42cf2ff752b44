"""Enrichment: a batch of events given to a function or a state machine, which answers with what the target gets."""

import json
from collections.abc import Sequence
from typing import Any

from mayfly.services.pipes.calls import Calls
from mayfly.services.pipes.model import Pipe
from mayfly.services.pipes.names import service_of

KINDS = {"lambda", "states"}


async def enrich(calls: Calls, pipe: Pipe, values: Sequence[Any]) -> list[Any]:
    """The events that come of a batch: the items of an answer that is an array, the answer itself otherwise, and none
    for an empty one ("", {} or []), for which the target is not called. `ServiceError`."""
    payload = json.dumps(list(values), separators=(",", ":"))
    if service_of(pipe.enrichment) == "states":
        answer = await calls.run(pipe.role, pipe.enrichment, payload, wait=True)
    else:
        answer = await calls.invoke(pipe.role, pipe.enrichment, payload.encode())
    if answer in ("", {}, []) or answer is None:
        return []
    return answer if isinstance(answer, list) else [answer]
