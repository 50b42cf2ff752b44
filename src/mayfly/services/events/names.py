"""Names and ARNs of what belongs to events, read. Pure."""

from typing import NamedTuple

from mayfly.ids import Arn
from mayfly.services.contract import RequestContext
from mayfly.services.events.errors import invalid
from mayfly.services.events.model import DEFAULT_BUS, BusKey


class RuleKey(NamedTuple):
    """Which rule."""

    bus: BusKey
    name: str


def bus_key(context: RequestContext, name_or_arn: str | None) -> BusKey:
    """The bus that a request names; None is the default one. One of another account or region is just not here."""
    if name_or_arn is None:
        return BusKey(context.account, context.region, DEFAULT_BUS)
    if not name_or_arn.startswith("arn:"):
        return BusKey(context.account, context.region, name_or_arn)
    key = bus_of_arn(name_or_arn)
    if key is None:
        raise invalid("Parameter EventBusName is not valid. Reason: Provided Arn is not in correct format.")
    return key


def bus_of_arn(arn: str) -> BusKey | None:
    """The bus with that ARN; None when it is no ARN of a bus."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return None
    kind, _, name = parsed.resource.partition("/")
    if parsed.service != "events" or kind != "event-bus" or not name:
        return None
    return BusKey(parsed.account, parsed.region, name)


def rule_of_arn(arn: str) -> RuleKey | None:
    """The rule with that ARN; None when it is no ARN of a rule. The name of a bus may have slashes, a rule's none."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return None
    kind, _, path = parsed.resource.partition("/")
    if parsed.service != "events" or kind != "rule" or not path:
        return None
    bus, _, name = path.rpartition("/")
    return RuleKey(BusKey(parsed.account, parsed.region, bus or DEFAULT_BUS), name)


def is_api_destination(arn: str) -> bool:
    """Whether this is the ARN of an API destination."""
    parts = arn.split(":", 5)
    return len(parts) == 6 and parts[2] == "events" and parts[5].startswith("api-destination/")


def archive_arn(context: RequestContext, name: str) -> str:
    return context.arn("events", f"archive/{name}")


def replay_arn(context: RequestContext, name: str) -> str:
    return context.arn("events", f"replay/{name}")


def archive_of_arn(context: RequestContext, arn: str) -> str | None:
    """The name of the caller's archive with that ARN; None when it is none."""
    prefix = archive_arn(context, "")
    return arn.removeprefix(prefix) if arn.startswith(prefix) and len(arn) > len(prefix) else None
