"""What an export does not take along, in words: what services hold, and what is Mayfly's own."""

from collections.abc import Container, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from mayfly.cli.connection import Connection, RefusedError
from mayfly.cli.exports.references import names, texts
from mayfly.cli.exports.things import Reading, Thing
from mayfly.cli.templates import ARTIFACTS

_SHOWN = 5  # names in a note; of more, how many they are
_NO_PAGE = (404, 405, 501)  # what an older server answers
# Resources with a name that their service makes up, so that it is another one in another place.
_MADE_UP = frozenset(
    [
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::ApiKey",
        "AWS::ApiGateway::UsagePlan",
        "AWS::ApiGateway::ClientCertificate",
        "AWS::ApiGatewayV2::Api",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Version",
        "AWS::Lambda::CodeSigningConfig",
        "AWS::SecretsManager::Secret",
        "AWS::SNS::Subscription",
    ]
)


def elsewhere(things: Mapping[str, Thing], held: Mapping[tuple[str, str], str]) -> list[str]:
    """Who names what a stack has, and what has another name where that stack is deployed; `held`: the stack's name by
    type and physical id."""
    made_up = {physical: stack for (kind, physical), stack in held.items() if kind in _MADE_UP}
    found: dict[tuple[str, str], list[str]] = {}
    for id_, thing in things.items() if made_up else ():
        said = [*texts(thing.properties), *(name.name for name in names(thing.properties))]
        for physical, stack in made_up.items():
            if any(physical in text for text in said):
                found.setdefault((physical, stack), []).append(id_)
    return [
        f"{shown(ids)}: {physical} is of stack {stack}, and called otherwise where that is deployed: write the new name"
        for (physical, stack), ids in found.items()
    ]


def left_behind(connection: Connection, among: Container[str] | None = None) -> list[str]:
    """What stays here, of stacks and outside of them; `among`: only what buckets, tables and queues of these physical
    ids hold. `MayflyError`, botocore's errors."""
    reading = Reading(connection, frozenset())
    kinds = {
        "objects of": _full_buckets(reading, among),
        "items of": _full_tables(reading, among),
        "messages of": _full_queues(reading, among),
        "lines of": _full_groups(reading, among),
    }
    held = [f"{what} {shown(owners)}" for what, owners in kinds.items() if owners]
    notes = [f"data is not exported: {'; '.join(held)}"] if held else []
    if among is not None:
        return notes
    notes += _events(reading)
    if hooks := [one["name"] for one in _page(connection, "/_mayfly/webhooks", "webhooks")]:
        notes.append(f"webhooks are Mayfly's own, and left out: {shown(hooks)} (`mayfly webhook create`)")
    if snapshots := list(_page(connection, "/_mayfly/sandboxes/snapshots", "snapshots")):
        notes.append(f"{len(snapshots)} snapshots of sandboxes stay here; no template has them")
    return notes


def shown(found: list[str]) -> str:
    """Names as a note has them."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def _full_buckets(reading: Reading, among: Container[str] | None) -> list[str]:
    s3 = reading.client("s3")
    buckets = [one["Name"] for one in reading.pages("s3", "list_buckets", "Buckets")]
    own = [name for name in buckets if not name.startswith(f"{ARTIFACTS}-") and (among is None or name in among)]
    return [name for name in own if s3.list_objects_v2(Bucket=name, MaxKeys=1).get("KeyCount")]


def _full_tables(reading: Reading, among: Container[str] | None) -> list[str]:
    client = reading.client("dynamodb")
    return [
        name
        for name in reading.pages("dynamodb", "list_tables", "TableNames")
        if (among is None or name in among) and client.scan(TableName=name, Limit=1, Select="COUNT")["Count"]
    ]


def _full_queues(reading: Reading, among: Container[str] | None) -> list[str]:
    client = reading.client("sqs")
    asked = [f"ApproximateNumberOfMessages{part}" for part in ("", "NotVisible", "Delayed")]
    return [
        url.rpartition("/")[2]
        for url in reading.pages("sqs", "list_queues", "QueueUrls", MaxResults=1000)
        if (among is None or url in among)
        and any(map(int, client.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"].values()))
    ]


def _full_groups(reading: Reading, among: Container[str] | None) -> list[str]:
    client = reading.client("logs")
    groups = [one["logGroupName"] for one in reading.pages("logs", "describe_log_groups", "logGroups")]
    return [
        name
        for name in groups
        if (among is None or name in among) and client.describe_log_streams(logGroupName=name, limit=1)["logStreams"]
    ]


def _events(reading: Reading) -> Iterator[str]:
    for bus in reading.pages("events", "list_event_buses", "EventBuses"):
        place = f"/_mayfly/events/{quote(bus['Name'], safe='')}"
        if tokens := list(_page(reading.connection, f"{place}/tokens", "tokens")):
            count = "a token stays" if len(tokens) == 1 else f"{len(tokens)} tokens stay"
            yield f"bus {bus['Name']}: for CloudEvents, {count} here (`mayfly events token create`)"


def _page(connection: Connection, path: str, member: str) -> list[dict[str, Any]]:
    """What a page of Mayfly's own lists; nothing where there is no such page."""
    try:
        found: list[dict[str, Any]] = connection.get(path)[member]
    except RefusedError as refused:
        if refused.status in _NO_PAGE:
            return []
        raise
    return found
