"""Whom a bucket tells of what happens in it: how templates say it, and how S3's API does. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.reading import in_order
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, Items, fields

_FILTER = fields("S3Key", S3Key=fields("Rules", Rules=Items(fields("Name Value", Name=STRING, Value=STRING))))
NOTIFICATIONS = fields(
    EventBridgeConfiguration=fields(EventBridgeEnabled=BOOLEAN),
    LambdaConfigurations=Items(fields("Event Function", Event=STRING, Filter=_FILTER, Function=STRING)),
    QueueConfigurations=Items(fields("Event Queue", Event=STRING, Filter=_FILTER, Queue=STRING)),
    TopicConfigurations=Items(fields("Event Topic", Event=STRING, Filter=_FILTER, Topic=STRING)),
)
_BUS = "EventBridgeConfiguration"
# The list in templates, its member for the target; the list in the API, its member.
_LISTS = (
    ("LambdaConfigurations", "Function", "LambdaFunctionConfigurations", "LambdaFunctionArn"),
    ("QueueConfigurations", "Queue", "QueueConfigurations", "QueueArn"),
    ("TopicConfigurations", "Topic", "TopicConfigurations", "TopicArn"),
)


def notification(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A template's configuration in the form of the S3 API."""
    found: dict[str, Any] = {}
    for mine, target, theirs, arn in _LISTS:
        for item in configuration.get(mine, ()):
            entry: dict[str, Any] = {arn: item[target], "Events": [item["Event"]]}
            if "Filter" in item:
                entry["Filter"] = {"Key": {"FilterRules": item["Filter"]["S3Key"]["Rules"]}}
            found.setdefault(theirs, []).append(entry)
    if configuration.get(_BUS, {"EventBridgeEnabled": False}).get("EventBridgeEnabled", True):
        found[_BUS] = {}
    return found


def notification_seen(given: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The S3 API's form in that of templates, what `given` says in its order."""
    seen: dict[str, Any] = {}
    for mine, target, theirs, arn in _LISTS:
        entries = []
        for item in found.get(theirs, ()):
            rules = item.get("Filter", {}).get("Key", {}).get("FilterRules", ())
            keys = [{"Name": rule["Name"].lower(), "Value": rule["Value"]} for rule in rules]
            filtered = {"Filter": {"S3Key": {"Rules": keys}}} if keys else {}
            entries += [{"Event": event, target: item[arn], **filtered} for event in item["Events"]]
        if entries:
            seen[mine] = in_order(given.get(mine, ()), entries, lambda one: json.dumps(one, sort_keys=True))
    if _BUS in found:
        seen[_BUS] = given.get(_BUS) or {"EventBridgeEnabled": True}
    elif given.get(_BUS, {}).get("EventBridgeEnabled") is False:
        seen[_BUS] = given[_BUS]
    return seen
