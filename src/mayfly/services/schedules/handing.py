"""Events handed to targets that take them within a transaction: functions, queues, topics and event buses."""

from dataclasses import dataclass

from mayfly import ids
from mayfly.services.ports import EventTargets, TargetOptions
from mayfly.services.schedules import rendering, universal
from mayfly.services.schedules.model import Delivery
from mayfly.services.schedules.names import Home
from mayfly.store.api import Tx


def is_local(arn: str) -> bool:
    """Whether a target takes events in a transaction."""
    return universal.call_of(arn) is None and universal.kind_of(arn) in ("function", "queue", "topic", "bus", "other")


@dataclass(frozen=True, slots=True)
class Handing:
    """Hands over."""

    targets: EventTargets
    home: Home

    def hand(self, tx: Tx, delivery: Delivery) -> None:
        """Give the target its event, as part of `tx`; `ServiceError` when it cannot take it."""
        target = delivery.target
        event = rendering.payload(delivery, self.home, ids.request_id())
        self.targets.accept(tx, target["Arn"], event.encode(), self._options(delivery))

    def _options(self, delivery: Delivery) -> TargetOptions:
        target = delivery.target
        bus = target.get("EventBridgeParameters", {})
        resources = (self.home.schedule_arn(delivery.group, delivery.name),) if bus else ()
        return TargetOptions(
            group_id=target.get("SqsParameters", {}).get("MessageGroupId"),
            source=bus.get("Source"),
            detail_type=bus.get("DetailType"),
            resources=resources,
        )
