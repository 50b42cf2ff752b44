"""Where stacks and their resources stand, told: to who lists their events, and to the default event bus.

The form of the latter is that of the CloudFormation user guide, "Managing events using EventBridge".
"""

from collections.abc import Collection
from typing import Any, Final

from mayfly.services.ports import PlatformEvents
from mayfly.services.stacks import records
from mayfly.services.stacks.model import Resource, Stack
from mayfly.store.api import Tx

SOURCE: Final = "aws.cloudformation"


class Telling:
    """Made by the service, used by whoever moves a stack on, in the transaction that does."""

    def __init__(self, events: PlatformEvents) -> None:
        self._events = events

    def stack(self, tx: Tx, stack: Stack, at: float) -> None:
        """The stack as a whole stands where its row says."""
        records.stack_event(tx, stack, at)
        token = stack.operation.token if stack.operation else ""
        detail = {"stack-id": stack.id, **_status(stack.status, stack.reason), "client-request-token": token}
        self._events.emit(tx, SOURCE, "CloudFormation Stack Status Change", detail, (stack.id,))

    def resource(self, tx: Tx, row: Resource, token: str, at: float, secrets: Collection[str] = ()) -> None:
        """One resource stands where its row says; `secrets` are masked in the properties that are listed."""
        records.resource_event(tx, row, token, at, secrets)
        detail = {
            "stack-id": row.stack_id,
            "logical-resource-id": row.logical_id,
            "physical-resource-id": row.physical_id,
            **_status(row.status, row.reason),
            "resource-type": row.type,
            "client-request-token": token,
        }
        self._events.emit(tx, SOURCE, "CloudFormation Resource Status Change", detail, (row.stack_id,))


def _status(status: str, reason: str) -> dict[str, Any]:
    return {"status-details": {"status": status, "status-reason": reason}}
