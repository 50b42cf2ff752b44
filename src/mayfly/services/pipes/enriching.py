"""Enrichment: a batch of events given to a function or a state machine, or one to an API destination, which answers
with what the target gets."""

import json
from collections.abc import Sequence
from typing import Any

from mayfly.services.pipes import paths
from mayfly.services.pipes.calls import Calls
from mayfly.services.pipes.model import Pipe
from mayfly.services.pipes.names import DESTINATIONS, service_of
from mayfly.services.pipes.requests import request
from mayfly.services.ports import DestinationCalls

KINDS = {"lambda", "states", DESTINATIONS}


async def enrich(
    calls: Calls, destinations: DestinationCalls, pipe: Pipe, events: Sequence[Any], values: Sequence[Any]
) -> list[Any]:
    """The events that come of a batch: the items of an answer that is an array, the answer itself otherwise, and none
    for an empty one ("", {} or []), for which the target is not called. `values` are the events in the form that the
    enrichment gets. `ServiceError`."""
    kind = service_of(pipe.enrichment)
    if kind == DESTINATIONS:
        given = pipe.enrichment_parameters.get("HttpParameters", {})
        answers = [
            paths.parsed((await request(destinations, pipe.enrichment, given, event, value)).decode(errors="replace"))
            for event, value in zip(events, values, strict=True)
        ]
        return [item for answer in answers for item in _items(answer)]
    payload = json.dumps(list(values), separators=(",", ":"))
    if kind == "states":
        answer = await calls.run(pipe.role, pipe.enrichment, payload, wait=True)
    else:
        answer = await calls.invoke(pipe.role, pipe.enrichment, payload.encode())
    return _items(answer)


def _items(answer: Any) -> list[Any]:
    if answer in ("", {}, []) or answer is None:
        return []
    return answer if isinstance(answer, list) else [answer]
