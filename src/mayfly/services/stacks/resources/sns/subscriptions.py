"""Looking at the subscriptions of a topic, for the types that make some."""

from typing import Any

from mayfly.services.stacks.resources.base import Caller

GONE = "NotFound NotFoundException"


async def all_of_topic(call: Caller, arn: str) -> list[dict[str, Any]]:
    """As ListSubscriptionsByTopic has them; none for a topic that is gone."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        reply = await call.unless(GONE, "sns", "ListSubscriptionsByTopic", TopicArn=arn, **token)
        if reply is None:
            return []
        found += reply.get("Subscriptions", ())
        if not reply.get("NextToken"):
            return found
        token = {"NextToken": reply["NextToken"]}
