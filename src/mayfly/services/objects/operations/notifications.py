"""PutBucketNotificationConfiguration and GetBucketNotificationConfiguration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mayfly.clock import Clock
from mayfly.ids import token
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.objects import access, catalog, checks, notifications
from mayfly.services.objects.errors import invalid_argument
from mayfly.services.objects.model import Bucket, Rule
from mayfly.services.ports import EventTargets
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_s3 import type_defs as s3

_PRINCIPAL: Final = "s3.amazonaws.com"


class NotificationOperations:
    """Who hears of what happens in a bucket. A configuration is replaced as a whole; an empty one turns events off."""

    def __init__(self, store: Store, targets: EventTargets, clock: Clock) -> None:
        self._store = store
        self._targets = targets
        self._clock = clock

    @operation("PutBucketNotificationConfiguration")
    async def put(
        self, context: RequestContext, request: "s3.PutBucketNotificationConfigurationRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        configuration = request["NotificationConfiguration"]
        rules = notifications.parse(configuration, [token(32) for _ in range(notifications.how_many(configuration))])
        bucket = await self._store.read(
            lambda reader: access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
        )
        validated = not request.get("SkipDestinationValidation", False)
        if validated:
            for rule in rules:
                await self._check_target(bucket, rule)

        def body(tx: Tx) -> None:
            access.bucket_for(tx, context, bucket.name, request.get("ExpectedBucketOwner"))
            catalog.set_rules(tx, bucket.name, rules, "EventBridgeConfiguration" in configuration)
            if validated:
                self._send_test_events(tx, context, bucket.name, rules)

        await self._store.write(body)
        return {}

    @operation("GetBucketNotificationConfiguration")
    async def get(
        self, context: RequestContext, request: "s3.GetBucketNotificationConfigurationRequestRequestTypeDef"
    ) -> dict[str, Any]:
        checks.admit(context)
        bucket = await self._store.read(
            lambda reader: access.bucket_for(reader, context, request["Bucket"], request.get("ExpectedBucketOwner"))
        )
        to_bus: dict[str, Any] = {"EventBridgeConfiguration": {}} if bucket.event_bus else {}
        return notifications.render(bucket.rules) | to_bus

    def _send_test_events(self, tx: Tx, context: RequestContext, bucket: str, rules: Sequence[Rule]) -> None:
        event = notifications.test_event(bucket, context, self._clock.now())
        for target in notifications.tested(rules):
            try:
                self._targets.accept(tx, target, event, notifications.OPTIONS)
            except ServiceError as cause:
                raise invalid_argument(
                    "Unable to validate the following destination configurations", target, cause.message
                ) from cause

    async def _check_target(self, bucket: Bucket, rule: Rule) -> None:
        source = notifications.bucket_arn(bucket.name)
        try:
            await self._targets.check(rule.target, _PRINCIPAL, source, bucket.account)
        except ServiceError as cause:
            raise invalid_argument(
                "Unable to validate the following destination configurations", rule.target, cause.message
            ) from cause
