"""RotateSecret and CancelRotateSecret."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly import ids
from mayfly.services.configs.secrets import faults, lifecycle, schedules, shapes
from mayfly.services.configs.secrets.desk import Desk
from mayfly.services.configs.secrets.model import PENDING, Place, Rotation, Secret
from mayfly.services.configs.secrets.rotation import RotationCalls, Rotations
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx
from mayfly.ticker.ticker import Moment


class RotationOperations:
    """Handlers; see the module."""

    def __init__(self, desk: Desk, rotations: Rotations, calls: RotationCalls) -> None:
        self._desk = desk
        self._rotations = rotations
        self._calls = calls

    @operation("RotateSecret")
    async def rotate(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a rotation, or only set how the secret is rotated, and have the function tested then."""
        if "ExternalSecretRotationRoleArn" in params or "ExternalSecretRotationMetadata" in params:
            raise faults.invalid_parameter("Mayfly rotates no secrets of others: a function of yours does that.")
        rules = params.get("RotationRules", {})
        schedules.check(rules)
        place, secret = await self._desk.read(context, "RotateSecret", params)
        function = params.get("RotationLambdaARN") or (secret.rotation.function if secret.rotation else None)
        if function is None:
            raise faults.invalid_request("No Lambda rotation function ARN is associated with this secret.")
        await self._calls.check(function, place.arn(secret.suffix), place.scope.account)
        token = str(params.get("ClientRequestToken") or ids.request_id())
        now = params.get("RotateImmediately", True)

        def change(tx: Tx, place: Place, secret: Secret) -> Secret:
            return self._changed(tx, place, secret, _rotation(secret, function, rules), token, immediately=now)

        place, secret = await self._desk.change(context, "RotateSecret", params, change)
        return shapes.brief(place, secret, **({"VersionId": token} if now else {}))

    def _changed(
        self, tx: Tx, place: Place, secret: Secret, rotation: Rotation, token: str, *, immediately: bool
    ) -> Secret:
        if immediately and rotation.token not in (None, token):
            raise faults.invalid_request("A previous rotation isn't complete. That rotation will be reattempted.")
        following = schedules.next_at(rotation, self._desk.clock.now())
        rotation = msgspec.structs.replace(rotation, next_at=following)
        moment = None if following is None else Moment(following, following)
        self._desk.ticker.set(tx, lifecycle.key_of(lifecycle.ROTATE, place), moment)
        known = secret.version(token)
        secret = msgspec.structs.replace(secret, rotation=rotation)
        if immediately and rotation.token is None and (known is None or not known.has_value):
            return self._rotations.begin(tx, place, secret, token, test=False)
        if not immediately and secret.staged(PENDING) is None:
            return self._rotations.begin(tx, place, secret, token, test=True)
        return secret

    @operation("CancelRotateSecret")
    async def cancel(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """What is under way ends before its next step. The version that it made stays pending."""

        def change(tx: Tx, place: Place, secret: Secret) -> Secret:
            if secret.rotation is None:
                raise faults.invalid_request(
                    "You tried to cancel the rotation of a secret that has no rotation configured."
                )
            self._desk.ticker.set(tx, lifecycle.key_of(lifecycle.ROTATE, place), None)
            stopped = msgspec.structs.replace(secret.rotation, enabled=False, token=None, next_at=None)
            return msgspec.structs.replace(secret, rotation=stopped)

        place, secret = await self._desk.change(context, "CancelRotateSecret", params, change)
        pending = [one.id for one in secret.versions if PENDING in one.stages]
        return shapes.brief(place, secret, **({"VersionId": pending[0]} if pending else {}))


def _rotation(secret: Secret, function: str, rules: Mapping[str, Any]) -> Rotation:
    """How the secret is to be rotated: as it is, but for what a request says."""
    before = secret.rotation or Rotation(function)
    if not rules:
        return msgspec.structs.replace(before, function=function, enabled=True)
    return Rotation(
        function,
        after_days=rules.get("AutomaticallyAfterDays"),
        schedule=rules.get("ScheduleExpression"),
        duration=rules.get("Duration"),
        token=before.token,
    )
