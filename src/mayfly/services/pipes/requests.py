"""Requests to API destinations, as enrichment or as target: one for each event, with parameters that may be paths."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.pipes import paths
from mayfly.services.ports import DestinationCalls


async def request(destinations: DestinationCalls, arn: str, given: Mapping[str, Any], event: Any, value: Any) -> bytes:
    """Send `value` as JSON; what the endpoint answered. `given` are HttpParameters, with paths into `event`.
    `ServiceError`."""
    path = [paths.dynamic(each, event) or "" for each in given.get("PathParameterValues", ())]
    headers, query = (_named(given.get(kind, {}), event) for kind in ("HeaderParameters", "QueryStringParameters"))
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return await destinations.deliver(arn, body, path, headers, query)


def _named(given: Mapping[str, str], event: Any) -> dict[str, str]:
    found = {name: paths.dynamic(value, event) for name, value in given.items()}
    return {name: value for name, value in found.items() if value is not None}
