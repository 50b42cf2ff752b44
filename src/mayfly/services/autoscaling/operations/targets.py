"""Scalable targets, and their tags."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly import ids
from mayfly.clock import Clock, utc
from mayfly.services.autoscaling import catalog, faults, names, paging
from mayfly.services.autoscaling.acting import key_of
from mayfly.services.autoscaling.changing import Changing
from mayfly.services.autoscaling.model import DIMENSION, NAMESPACE, Suspended, Target
from mayfly.services.autoscaling.names import Home
from mayfly.services.autoscaling.scaler import Scaler
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Reader, Store, Tx
from mayfly.ticker.ticker import Ticker

MAX_TAGS = 50
_PAGE = 500


class TargetOperations:
    """Handlers; see the module."""

    def __init__(
        self, store: Store, clock: Clock, home: Home, ticker: Ticker, changing: Changing, scaler: Scaler
    ) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._ticker = ticker
        self._changing = changing
        self._scaler = scaler

    @operation("RegisterScalableTarget")
    async def register(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a target, or change one that is there."""
        resource = names.resource_of(params)
        fresh = Target(resource, ids.digits(34), 0, 0, self._clock.now())
        if not await self._changing.exists(fresh):
            raise faults.validation(
                f"The resource {resource} does not exist: there is no such function, or no such alias or version."
            )

        def body(tx: Tx) -> Target:
            before = catalog.target(tx, resource)
            if before is None and ("MinCapacity" not in params or "MaxCapacity" not in params):
                raise faults.validation("MinCapacity and MaxCapacity are required for a new scalable target.")
            target = _changed(before or fresh, params)
            if "Tags" in params and before is None:
                target = msgspec.structs.replace(target, tags=_checked(params["Tags"]))
            if catalog.policies_of(tx, resource):
                target = msgspec.structs.replace(target, due="its bounds were changed")
                tx.after_commit(self._scaler.wake)
            catalog.put_target(tx, target)
            return target

        return {"ScalableTargetARN": self._home.target_arn(await self._store.write(body))}

    @operation("DescribeScalableTargets")
    async def describe(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        names.check_namespace(params)
        (after,), size = paging.after(params, 1), paging.size(params)
        asked = params.get("ResourceIds")

        def body(reader: Reader) -> list[Target]:
            if asked is not None:
                named = [one for resource in sorted(asked) if (one := catalog.target(reader, resource)) is not None]
                return [one for one in named if one.place > after]
            return catalog.targets(reader, after, size + 1)

        found = await self._store.read(body)
        more = paging.more(found[size - 1].place) if len(found) > size else {}
        return {"ScalableTargets": [self._shown(one) for one in found[:size]], **more}

    @operation("DeregisterScalableTarget")
    async def deregister(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """Its policies and scheduled actions go with it; the capacity stays as it is."""
        resource = names.resource_of(params)

        def body(tx: Tx) -> None:
            if catalog.target(tx, resource) is None:
                raise faults.unknown("scalable target", names.described(resource))
            for policy in catalog.policies_of(tx, resource):
                catalog.delete_policy(tx, policy)
            for action in catalog.actions_of(tx, resource):
                catalog.delete_action(tx, action)
                self._ticker.set(tx, key_of(action), None)
            catalog.delete_target(tx, resource)

        await self._store.write(body)
        return {}

    @operation("TagResource")
    async def tag(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        await self._retag(params["ResourceARN"], lambda tags: _checked({**tags, **params["Tags"]}))
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        gone = frozenset(params["TagKeys"])
        await self._retag(
            params["ResourceARN"], lambda tags: {key: value for key, value in tags.items() if key not in gone}
        )
        return {}

    @operation("ListTagsForResource")
    async def tags(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Tags": dict((await self._store.read(lambda reader: self._find(reader, params["ResourceARN"]))).tags)}

    async def _retag(self, arn: str, change: Any) -> None:
        def body(tx: Tx) -> None:
            target = self._find(tx, arn)
            catalog.put_target(tx, msgspec.structs.replace(target, tags=change(target.tags)))

        await self._store.write(body)

    def _find(self, reader: Reader, arn: str) -> Target:
        after = ""
        while page := catalog.targets(reader, after, _PAGE):
            for one in page:
                if self._home.target_arn(one) == arn:
                    return one
            after = page[-1].place
        raise faults.no_such_target(arn)

    def _shown(self, target: Target) -> dict[str, Any]:
        return {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": target.resource,
            "ScalableDimension": DIMENSION,
            "MinCapacity": target.least,
            "MaxCapacity": target.most,
            "RoleARN": self._home.role_arn,
            "CreationTime": utc(target.created_at),
            "SuspendedState": {
                "DynamicScalingInSuspended": target.suspended.scaling_in,
                "DynamicScalingOutSuspended": target.suspended.scaling_out,
                "ScheduledScalingSuspended": target.suspended.scheduled,
            },
            "ScalableTargetARN": self._home.target_arn(target),
        }


def _changed(before: Target, params: Mapping[str, Any]) -> Target:
    least, most = params.get("MinCapacity", before.least), params.get("MaxCapacity", before.most)
    if least < 0 or most < 0:
        raise faults.validation("MinCapacity and MaxCapacity must not be negative.")
    if least > most:
        raise faults.validation("Maximum capacity cannot be less than minimum capacity")
    suspended = before.suspended
    if (asked := params.get("SuspendedState")) is not None:
        suspended = Suspended(
            asked.get("DynamicScalingInSuspended", suspended.scaling_in),
            asked.get("DynamicScalingOutSuspended", suspended.scaling_out),
            asked.get("ScheduledScalingSuspended", suspended.scheduled),
        )
    return msgspec.structs.replace(before, least=least, most=most, suspended=suspended)


def _checked(tags: Mapping[str, str]) -> dict[str, str]:
    if len(tags) > MAX_TAGS:
        raise ServiceError("TooManyTagsException", f"A scalable target can have at most {MAX_TAGS} tags.", status=400)
    return dict(tags)
