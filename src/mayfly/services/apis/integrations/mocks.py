"""MOCK: the status is what the request's template says, and there is no answer besides."""

import json

from mayfly.services.apis.integrations.api import Call, IntegrationError, Outcome
from mayfly.vtl import relaxed_json


class Mocks:
    """`api.Backend` of MOCK. `Call.body` is what the template wrote: `{"statusCode": 200}`."""

    async def send(self, call: Call) -> Outcome:
        """See `api.Backend`."""
        return Outcome(status_of(call.body.decode("utf-8", "replace")))


def status_of(written: str) -> int:
    """The status that a mock answers with; `IntegrationError` where nobody says one."""
    said = relaxed_json.read(written)
    status = said.get("statusCode") if isinstance(said, dict) else None
    if isinstance(status, str) and status.isdecimal():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int):
        raise IntegrationError(
            "configuration", f"The request template of a mock has to give a statusCode, not {json.dumps(written[:100])}"
        )
    return status
