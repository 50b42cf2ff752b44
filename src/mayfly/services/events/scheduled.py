"""Rules that run by the clock: a tick becomes a "Scheduled Event" for the rule's targets. `ports.Ticks`."""

from collections.abc import Callable

from mayfly.services.events import records
from mayfly.services.events.catalog import Subscriber
from mayfly.services.events.entries import make_event
from mayfly.services.events.model import BusKey
from mayfly.services.events.router import Router
from mayfly.store.api import Tx


def tick_key(bus: BusKey, rule: str) -> str:
    """What a rule is called by the ticker: an account, a region and a rule's name have no slash."""
    return "/".join((bus.account, bus.region, bus.name, rule))


class ScheduledRules:
    """What a tick does."""

    def __init__(self, router: Router, new_id: Callable[[], str]) -> None:
        self._router = router
        self._new_id = new_id

    def tick(self, tx: Tx, key: str, at: float) -> None:
        """Send the event of one tick; nothing when the rule is gone, or off."""
        account, region, name, rule_name = key.split("/")
        bus = BusKey(account, region, name)
        rule = records.find_rule(tx, bus, rule_name)
        if rule is None or not rule.enabled:
            return
        arn = bus.rule_arn(rule_name)
        event = make_event(bus, self._new_id(), at, "aws.events", "Scheduled Event", b"{}", (arn,))
        self._router.send(tx, Subscriber(rule_name, arn, records.targets_of(tx, bus, rule_name)), event)
