"""ARNs of topics and subscriptions: what they look like, and what is said where they do not."""

import re

from mayfly.services.contract import RequestContext
from mayfly.services.topics import faults

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"(?=.{1,256}$)[A-Za-z0-9_-]+\.fifo")
_PASSWORD = re.compile(r"^(https?://[^/?#@:]*:)[^/?#]*@", re.IGNORECASE)
_ACCOUNT = re.compile(r"\d{12}")


def checked_name(name: str, fifo: bool) -> str:
    """`name`, if a topic may have it."""
    if fifo:
        if _FIFO_NAME.fullmatch(name) is None:
            raise faults.invalid(
                "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII "
                "letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
            )
    elif _NAME.fullmatch(name) is None:
        raise faults.invalid("Topic Name")
    return name


def topic_name(context: RequestContext, arn: str, member: str = "TopicArn") -> str:
    """The name in a topic's ARN; NotFound where it is another account's or region's."""
    parts = _parts(arn, member)
    if len(parts) != 6 or not (_NAME.fullmatch(parts[5]) or _FIFO_NAME.fullmatch(parts[5])):
        raise faults.invalid(f"{member} Reason: {arn!r} is not the ARN of a topic")
    if (parts[3], parts[4]) != (context.region, context.account):
        raise faults.no_topic()
    return parts[5]


def subscription_uuid(arn: str, member: str = "SubscriptionArn") -> tuple[str, str]:
    """The ARN of the topic and the unique part in a subscription's ARN."""
    parts = _parts(arn, member)
    if len(parts) != 7:
        raise faults.invalid(f"{member} Reason: An ARN must have at least 7 elements, not {len(parts)}")
    return ":".join(parts[:6]), parts[6]


def is_arn_of(service: str, arn: str, region: str) -> bool:
    """Whether an ARN is one of a resource of `service` in `region`."""
    parts = arn.split(":", 5)
    return (
        len(parts) == 6
        and parts[0] == "arn"
        and parts[2] == service
        and parts[3] == region
        and _ACCOUNT.fullmatch(parts[4]) is not None
        and bool(parts[5])
    )


def masked(endpoint: str) -> str:
    """An endpoint as it is shown: a URL without its password."""
    return with_password(endpoint, "****")


def with_password(endpoint: str, password: str) -> str:
    """An endpoint with another password, if it is a URL that has one."""
    return _PASSWORD.sub(lambda found: f"{found[1]}{password}@", endpoint, count=1)


def _parts(arn: str, member: str) -> list[str]:
    parts = arn.split(":")
    if len(parts) < 6:
        raise faults.invalid(f"{member} Reason: An ARN must have at least 6 elements, not {len(parts)}")
    if parts[0] != "arn" or parts[2] != "sns":
        raise faults.invalid(f"{member} Reason: {arn!r} is not an ARN of SNS")
    return parts
