"""DeleteSecret and RestoreSecret: a secret goes after a while, or at once if that is forced."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly import ids
from mayfly.clock import utc
from mayfly.services.configs.scopes import Scope
from mayfly.services.configs.secrets import catalog, faults, lifecycle, names, shapes
from mayfly.services.configs.secrets.desk import Desk
from mayfly.services.configs.secrets.model import DAY_S, Place, Secret
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Tx
from mayfly.ticker.ticker import Moment

LEAST_DAYS, MOST_DAYS = 7, 30


class DeletionOperations:
    """Handlers; see the module."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @operation("DeleteSecret")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """Forced, what is not there is deleted, too: so it is after another try."""
        forced, days = params.get("ForceDeleteWithoutRecovery", False), params.get("RecoveryWindowInDays")
        if days is not None and not LEAST_DAYS <= days <= MOST_DAYS:
            raise faults.invalid_parameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
        if forced and days is not None:
            raise faults.invalid_parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
            )
        now = self._desk.clock.now()

        def body(tx: Tx) -> tuple[Place, Secret]:
            place, secret = self._desk.find(tx, context, "DeleteSecret", params, deleted=True)
            if forced:
                catalog.delete(tx, place)
                lifecycle.forget(self._desk.ticker, tx, place)
                return place, secret
            if secret.deleted_at is not None:
                raise faults.deleted()
            purge_at = now + (days or MOST_DAYS) * DAY_S
            secret = msgspec.structs.replace(secret, deleted_at=now, purge_at=purge_at)
            catalog.put(tx, place, secret)
            lifecycle.forget(self._desk.ticker, tx, place)
            self._desk.ticker.set(tx, lifecycle.key_of(lifecycle.PURGE, place), Moment(purge_at, purge_at))
            return place, secret

        try:
            place, secret = await self._desk.store.write(body)
        except ServiceError as error:
            if not forced or error.code != "ResourceNotFoundException" or params["SecretId"].startswith("arn:"):
                raise
            place = Place(Scope.of(context), params["SecretId"])
            secret = Secret(place.name, ids.token(names.SUFFIX, names.ALPHABET), now, now)
        at = secret.purge_at if not forced and secret.purge_at is not None else now
        return shapes.brief(place, secret, DeletionDate=utc(at))

    @operation("RestoreSecret")
    async def restore(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def change(tx: Tx, place: Place, secret: Secret) -> Secret:
            self._desk.ticker.set(tx, lifecycle.key_of(lifecycle.PURGE, place), None)
            if secret.rotation is not None and secret.rotation.enabled and secret.rotation.next_at is not None:
                due = max(secret.rotation.next_at, self._desk.clock.now())
                self._desk.ticker.set(tx, lifecycle.key_of(lifecycle.ROTATE, place), Moment(due, due))
            return msgspec.structs.replace(secret, deleted_at=None, purge_at=None)

        place, secret = await self._desk.change(context, "RestoreSecret", params, change, deleted=True)
        return shapes.brief(place, secret)
