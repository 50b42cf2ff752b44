"""Where stacks and their resources stand, told: to who lists their events, to the default event bus, and to the topics
that a stack notifies.

The form for the bus is that of the CloudFormation user guide, "Managing events using EventBridge"; a notification is
lines of `Name='value'`, as people parse them.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final

from mayfly.clock import iso_millis
from mayfly.services.contract import ServiceError
from mayfly.services.ports import EventTargets, PlatformEvents, Source, TargetOptions
from mayfly.services.stacks import records
from mayfly.services.stacks.model import Event, Resource, Stack
from mayfly.services.stacks.sealing import Tx

SOURCE: Final = "aws.cloudformation"
SUBJECT: Final = "AWS CloudFormation Notification"


class Telling:
    """Made by the service, used by whoever moves a stack on, in the transaction that does."""

    def __init__(self, events: PlatformEvents, targets: EventTargets | None = None) -> None:
        """`targets`: where topics are reached; None: nobody is notified."""
        self._events = events
        self._targets = targets

    def stack(self, tx: Tx, stack: Stack, at: float) -> None:
        """The stack as a whole stands where its row says."""
        event = records.stack_event(tx, stack, at)
        token = stack.operation.token if stack.operation else ""
        detail = {"stack-id": stack.id, **_status(stack.status, stack.reason), "client-request-token": token}
        self._events.emit(tx, SOURCE, "CloudFormation Stack Status Change", detail, (stack.id,))
        self._notify(tx, stack, event)

    def resource(
        self, tx: Tx, stack: Stack, row: Resource, token: str, at: float, secrets: Collection[str] = ()
    ) -> None:
        """One resource stands where its row says; `secrets` are masked in the properties that are listed."""
        event = records.resource_event(tx, row, token, at, secrets)
        detail = {
            "stack-id": row.stack_id,
            "logical-resource-id": row.logical_id,
            "physical-resource-id": row.physical_id,
            **_status(row.status, row.reason),
            "resource-type": row.type,
            "client-request-token": token,
        }
        self._events.emit(tx, SOURCE, "CloudFormation Resource Status Change", detail, (row.stack_id,))
        self._notify(tx, stack, event)

    def _notify(self, tx: Tx, stack: Stack, event: Event) -> None:
        """A topic that is gone, or keeps stacks out, is not a reason to stop."""
        topics = stack.options.get("NotificationARNs", ())
        if self._targets is None or not topics:
            return
        source = Source("cloudformation.amazonaws.com", stack.id, stack.account)
        options = TargetOptions(subject=SUBJECT, on_behalf_of=source)
        for topic in topics:
            with suppress(ServiceError):
                self._targets.accept(tx, topic, notification(stack, event).encode(), options)


def notification(stack: Stack, event: Event) -> str:
    """What subscribers of a stack's topics read of one event."""
    lines = {
        "StackId": stack.id,
        "Timestamp": iso_millis(event.at),
        "EventId": event.id,
        "LogicalResourceId": event.logical_id,
        "Namespace": stack.account,
        "PhysicalResourceId": event.physical_id,
        "PrincipalId": stack.operation.context.principal.user_id if stack.operation else "",
        "ResourceProperties": event.properties or "null",
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceType": event.type,
        "StackName": stack.name,
        "ClientRequestToken": event.token or "null",
    }
    return "".join(f"{name}='{value}'\n" for name, value in lines.items())


def _status(status: str, reason: str) -> dict[str, Any]:
    return {"status-details": {"status": status, "status-reason": reason}}
