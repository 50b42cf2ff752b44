"""Scaling policies: target tracking and steps. Predictive scaling is refused: nobody forecasts here."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly import ids
from mayfly.clock import Clock, utc
from mayfly.services.autoscaling import catalog, faults, names, reading
from mayfly.services.autoscaling.model import DIMENSION, NAMESPACE, Policy, Target
from mayfly.services.autoscaling.names import Home
from mayfly.services.autoscaling.operations import listing
from mayfly.services.autoscaling.scaler import Scaler
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Store, Tx

MOST = 50  # of a target
_NOT_FORECAST = (
    "Predictive scaling is for services with a history of their load; nothing forecasts provisioned concurrency."
)


class PolicyOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, clock: Clock, home: Home, scaler: Scaler) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._scaler = scaler

    @operation("PutScalingPolicy")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        resource, name = names.resource_of(params), params["PolicyName"]

        def body(tx: Tx) -> Policy:
            target, before = catalog.target(tx, resource), catalog.policy(tx, resource, name)
            if target is None:
                raise faults.unknown("scalable target", names.described(resource))
            policy = self._policy(params, target, before)
            if before is None and len(catalog.policies_of(tx, resource)) >= MOST:
                raise faults.validation(f"A scalable target can have at most {MOST} policies.")
            catalog.put_policy(tx, policy)
            catalog.put_target(tx, msgspec.structs.replace(target, due=f"the policy {name} was put"))
            tx.after_commit(self._scaler.wake)
            return policy

        return {"PolicyARN": self._home.policy_arn(await self._store.write(body)), "Alarms": []}

    def _policy(self, params: Mapping[str, Any], target: Target, before: Policy | None) -> Policy:
        tracked, stepped = "TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration"
        usual = "TargetTrackingScaling" if before is not None and before.tracked is not None else "StepScaling"
        kind = params.get("PolicyType", usual)
        if kind == "PredictiveScaling":
            raise faults.validation(_NOT_FORECAST)
        if before is not None and kind != usual:
            raise faults.validation(f"The type of a policy cannot be changed: {before.name} is of the type {usual}.")
        member = tracked if kind == "TargetTrackingScaling" else stepped
        if member not in params:
            raise faults.validation(f"{member} has to be given for a policy of the type {kind}.")
        base = before or Policy(params["PolicyName"], target.resource, ids.request_id(), self._clock.now())
        return Policy(
            base.name,
            base.resource,
            base.id,
            base.created_at,
            tracked=reading.tracked(params[tracked], target.function, target.qualifier) if member == tracked else None,
            stepped=reading.stepped(params[stepped]) if member == stepped else None,
        )

    @operation("DescribeScalingPolicies")
    async def describe(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found, more = await listing.page(self._store, params, "PolicyNames", catalog.policies_of, catalog.policies)
        return {"ScalingPolicies": [self._shown(one) for one in found], **more}

    @operation("DeleteScalingPolicy")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        resource, name = names.resource_of(params), params["PolicyName"]

        def body(tx: Tx) -> None:
            found = catalog.policy(tx, resource, name)
            if found is None:
                raise faults.unknown(f"scaling policy named {name}", names.described(resource))
            catalog.delete_policy(tx, found)

        await self._store.write(body)
        return {}

    @operation("GetPredictiveScalingForecast")
    async def forecast(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        raise faults.validation(_NOT_FORECAST)

    def _shown(self, policy: Policy) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "PolicyARN": self._home.policy_arn(policy),
            "PolicyName": policy.name,
            "ServiceNamespace": NAMESPACE,
            "ResourceId": policy.resource,
            "ScalableDimension": DIMENSION,
            "Alarms": [],
            "CreationTime": utc(policy.created_at),
        }
        if policy.tracked is not None:
            config = reading.shown_tracked(policy.tracked)
            return {
                **shown,
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": config,
            }
        assert policy.stepped is not None, "it is one of both"
        config = reading.shown_stepped(policy.stepped)
        return {**shown, "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": config}
