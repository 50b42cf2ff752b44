"""AddPermission and RemovePermission, and data protection policies, of which there are none."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mayfly.services.contract import RequestContext, operation
from mayfly.services.topics import faults, resource_policy
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.model import Topic
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as sns


class PermissionOperations:
    """Access policies of topics, a statement at a time."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    @operation("AddPermission")
    async def add(self, context: RequestContext, request: "sns.AddPermissionInputTypeDef") -> dict[str, Any]:
        """Allow accounts some actions, under a label."""

        def changed(topic: Topic) -> str:
            accounts, actions = request["AWSAccountId"], request["ActionName"]
            return resource_policy.with_permission(_policy(topic), topic.arn, request["Label"], accounts, actions)

        return await self._change(context, request["TopicArn"], changed)

    @operation("RemovePermission")
    async def remove(self, context: RequestContext, request: "sns.RemovePermissionInputTypeDef") -> dict[str, Any]:
        """Take the statement of a label away."""

        def changed(topic: Topic) -> str:
            return resource_policy.without_permission(_policy(topic), request["Label"])

        return await self._change(context, request["TopicArn"], changed)

    @operation("GetDataProtectionPolicy")
    async def get_protection(
        self, context: RequestContext, request: "sns.GetDataProtectionPolicyInputTypeDef"
    ) -> dict[str, Any]:
        """No topic has one."""
        await self._store.read(
            lambda reader: self._catalog.require(reader, context, request["ResourceArn"], "ResourceArn")
        )
        return {"DataProtectionPolicy": ""}

    @operation("PutDataProtectionPolicy")
    async def put_protection(
        self, context: RequestContext, request: "sns.PutDataProtectionPolicyInputTypeDef"
    ) -> dict[str, Any]:
        """Refused, unless it takes away what is not there: a policy that nobody enforces protects nothing."""
        await self._store.read(
            lambda reader: self._catalog.require(reader, context, request["ResourceArn"], "ResourceArn")
        )
        if request["DataProtectionPolicy"].strip() not in ("", "{}"):
            raise faults.unserved("DataProtectionPolicy Reason: Mayfly does not implement data protection policies")
        return {}

    async def _change(self, context: RequestContext, arn: str, policy: Any) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            topic = self._catalog.require(tx, context, arn).topic
            self._catalog.change(tx, replace(topic, attributes={**topic.attributes, "Policy": policy(topic)}))

        await self._store.write(body)
        return {}


def _policy(topic: Topic) -> str:
    return topic.attributes.get("Policy") or resource_policy.default(topic.arn, topic.account)
