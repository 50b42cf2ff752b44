"""Ticks of secrets: one that is to be deleted goes, one that is to be rotated begins to.

A key is "purge|scope|name" or "rotate|scope|name": none of the first two parts holds a bar.
"""

from collections.abc import Callable

from mayfly.services.configs.scopes import scope_of_key
from mayfly.services.configs.secrets import catalog
from mayfly.services.configs.secrets.model import Place, Secret
from mayfly.store.api import Tx
from mayfly.ticker.ticker import Moment, Tick, Ticker

PURGE, ROTATE = "purge", "rotate"

# Begin the rotation that is due, and say when the next one is.
Begin = Callable[[Tx, Place, Secret, float], Moment | None]


def key_of(what: str, place: Place) -> str:
    return f"{what}|{place.scope.key}|{place.name}"


def forget(ticker: Ticker, tx: Tx, place: Place) -> None:
    """Nothing of this secret is due any more."""
    for what in (PURGE, ROTATE):
        ticker.set(tx, key_of(what, place), None)


class Lifecycle:
    """`tick` is what the ticker calls."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def tick(self, tx: Tx, tick: Tick, now: float) -> Moment | None:
        what, scope, name = tick.key.split("|", 2)
        place = Place(scope_of_key(scope), name)
        secret = catalog.find(tx, place)
        if secret is None:
            return None
        if what == ROTATE:
            return self._begin(tx, place, secret, now) if secret.deleted_at is None else None
        if secret.purge_at is not None and secret.purge_at <= now:
            catalog.delete(tx, place)
        return None
