"""Policies when they are due: a parameter expires, or somebody is told. Ticks of the parameters' ticker."""

import msgspec

from mayfly.services.configs.parameters import catalog, policies, telling
from mayfly.services.configs.parameters.model import Parameter, Place, Policy
from mayfly.services.configs.scopes import scope_of_key
from mayfly.services.ports import PlatformEvents
from mayfly.store.api import Tx
from mayfly.ticker.ticker import Moment, Tick

_REASONS = {
    "Expiration": "The parameter has expired and was deleted.",
    "ExpirationNotification": "The parameter will expire as its Expiration policy says.",
    "NoChangeNotification": "The parameter has not been changed for the time that the policy says.",
}


def key_of(place: Place) -> str:
    """What it ticks under: no scope holds a bar."""
    return f"{place.scope.key}|{place.path}"


def moment_of(parameter: Parameter) -> Moment | None:
    """When the next of its policies is due."""
    due_at = policies.first_due(parameter.latest.policies)
    return None if due_at is None else Moment(due_at, due_at)


class Expiry:
    """`tick` is what the ticker calls."""

    def __init__(self, events: PlatformEvents) -> None:
        self._events = events

    def tick(self, tx: Tx, tick: Tick, now: float) -> Moment | None:
        scope, _, path = tick.key.partition("|")
        place = Place(scope_of_key(scope), path)
        parameter = catalog.find(tx, place)
        if parameter is None:
            return None
        after: list[Policy] = []
        for policy in parameter.latest.policies:
            if not policy.done and policy.due_at <= now:
                telling.acted(self._events, tx, place, parameter, policy, _REASONS[policy.kind])
                if policy.kind == "Expiration":
                    catalog.delete(tx, place)
                    telling.changed(self._events, tx, "Delete", place, parameter)
                    return None
                policy = msgspec.structs.replace(policy, done=True)
            after.append(policy)
        latest = msgspec.structs.replace(parameter.latest, policies=tuple(after))
        kept = msgspec.structs.replace(parameter, versions=(*parameter.versions[:-1], latest))
        catalog.put(tx, place, kept)
        return moment_of(kept)
