"""Event buses, rules, archives, connections, API destinations, schedules, pipes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.things import Given, Name, Reading, Thing, said, tags_of, unless

BUS, RULE, SCHEDULE = "AWS::Events::EventBus", "AWS::Events::Rule", "AWS::Scheduler::Schedule"
_DEFAULT = "default"
_PIPE = (
    "Description DesiredState Source SourceParameters Enrichment EnrichmentParameters Target TargetParameters "
    "LogConfiguration"
)


def buses(reading: Reading) -> Iterator[Thing]:
    """Buses with their policies, archives and rules."""
    client = reading.client("events")
    for listed in reading.pages("events", "list_event_buses", "EventBuses"):
        name, arn = listed["Name"], listed["Arn"]
        if name != _DEFAULT and not reading.is_held(BUS, name):
            found = client.describe_event_bus(Name=name)
            properties = {"Name": name, **said(found, "Description DeadLetterConfig LogConfig")}
            properties |= tags_of(client.list_tags_for_resource(ResourceARN=arn).get("Tags"))
            yield Thing(BUS, name, name, properties, {"Arn": arn})
        for statement in json.loads(listed["Policy"])["Statement"] if listed.get("Policy") else ():
            kind = "AWS::Events::EventBusPolicy"
            if not reading.is_held(kind, f"{name}|{statement['Sid']}"):
                whose = {} if name == _DEFAULT else {"EventBusName": Name(BUS, name)}
                document = {**whose, "StatementId": statement["Sid"], "Statement": statement}
                yield Thing(kind, f"{name} bus {statement['Sid']} policy", "", document)
        yield from _rules(reading, name)


def _rules(reading: Reading, bus: str) -> Iterator[Thing]:
    client = reading.client("events")
    for found in reading.pages("events", "list_rules", "Rules", EventBusName=bus):
        name = found["Name"]
        known = name if bus == _DEFAULT else f"{bus}|{name}"
        if reading.is_held(RULE, known) or found.get("ManagedBy"):
            continue
        properties = {"Name": name, **said(found, "Description ScheduleExpression RoleArn State", {"State": "ENABLED"})}
        if bus != _DEFAULT:
            properties["EventBusName"] = Name(BUS, bus)
        if found.get("EventPattern"):
            properties["EventPattern"] = json.loads(found["EventPattern"])
        targets = reading.pages("events", "list_targets_by_rule", "Targets", Rule=name, EventBusName=bus)
        if told := list(targets):
            properties["Targets"] = told
        reading.roles |= {one["RoleArn"] for one in (found, *told) if "RoleArn" in one}
        properties |= tags_of(client.list_tags_for_resource(ResourceARN=found["Arn"]).get("Tags"))
        yield Thing(RULE, f"{name} rule", known, properties, {"Arn": found["Arn"]})


def archives(reading: Reading) -> Iterator[Thing]:
    kind = "AWS::Events::Archive"
    client = reading.client("events")
    for listed in reading.pages("events", "list_archives", "Archives"):
        name = listed["ArchiveName"]
        if reading.is_held(kind, name):
            continue
        found = client.describe_archive(ArchiveName=name)
        properties = {"ArchiveName": name, "SourceArn": found["EventSourceArn"], **said(found, "Description")}
        if found.get("EventPattern"):
            properties["EventPattern"] = json.loads(found["EventPattern"])
        if found.get("RetentionDays"):
            properties["RetentionDays"] = found["RetentionDays"]
        yield Thing(kind, f"{name} archive", name, properties, {"Arn": found["ArchiveArn"]})


def destinations(reading: Reading) -> Iterator[Thing]:
    """Connections, whose secrets are given with the deployment, and API destinations."""
    kind, place = "AWS::Events::Connection", "AWS::Events::ApiDestination"
    client = reading.client("events")
    for listed in reading.pages("events", "list_connections", "Connections"):
        name = listed["Name"]
        if reading.is_held(kind, name):
            continue
        found = client.describe_connection(Name=name)
        properties = {
            "Name": name,
            **said(found, "AuthorizationType Description"),
            "AuthParameters": _without_secrets(name, found["AuthParameters"]),
        }
        arn = {"Arn": found["ConnectionArn"]}
        yield Thing(kind, f"{name} connection", name, properties, arn, unforeseen=frozenset(arn))
    for listed in reading.pages("events", "list_api_destinations", "ApiDestinations"):
        if reading.is_held(place, listed["Name"]):
            continue
        told = "Name ConnectionArn HttpMethod InvocationEndpoint InvocationRateLimitPerSecond"
        properties = said(listed, told, {"InvocationRateLimitPerSecond": 300})
        arn = {"Arn": listed["ApiDestinationArn"]}
        yield Thing(place, f"{listed['Name']} destination", listed["Name"], properties, arn, unforeseen=frozenset(arn))


def _without_secrets(name: str, value: Any) -> Any:
    """The parameters of a connection, with parameters of the template where the service shows nothing."""
    if isinstance(value, list):
        return [_without_secrets(name, item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kept = {key: _without_secrets(name, item) for key, item in value.items()}
    if "ApiKeyName" in kept:
        kept["ApiKeyValue"] = Given(f"The key of connection {name}")
    if "Username" in kept:
        kept["Password"] = Given(f"The password of connection {name}")
    if "ClientID" in kept:
        kept["ClientSecret"] = Given(f"The secret of the client of connection {name}")
    if kept.get("IsValueSecret"):
        kept["Value"] = Given(f"{kept['Key']} of connection {name}")
    return kept


def schedules(reading: Reading) -> Iterator[Thing]:
    group_kind = "AWS::Scheduler::ScheduleGroup"
    client = reading.client("scheduler")
    for group in reading.pages("scheduler", "list_schedule_groups", "ScheduleGroups"):
        if group["Name"] != _DEFAULT and not reading.is_held(group_kind, group["Name"]):
            properties = {
                "Name": group["Name"],
                **tags_of(client.list_tags_for_resource(ResourceArn=group["Arn"])["Tags"]),
            }
            yield Thing(group_kind, f"{group['Name']} group", group["Name"], properties, {"Arn": group["Arn"]})
    for listed in reading.pages("scheduler", "list_schedules", "Schedules"):
        name, group_name = listed["Name"], listed["GroupName"]
        if reading.is_held(SCHEDULE, name):
            continue
        found = client.get_schedule(Name=name, GroupName=group_name)
        properties = {
            "Name": name,
            **said(found, "Description ScheduleExpression FlexibleTimeWindow Target"),
            **said(
                found, "State ScheduleExpressionTimezone", {"State": "ENABLED", "ScheduleExpressionTimezone": "UTC"}
            ),
            **{key: found[key].isoformat() for key in ("StartDate", "EndDate") if key in found},
        }
        if group_name != _DEFAULT:
            properties["GroupName"] = Name(group_kind, group_name)
        if found.get("ActionAfterCompletion", "NONE") != "NONE":
            reading.notes.append(f"schedule {name}: templates cannot say that it is deleted when it is through")
        reading.roles.add(found["Target"]["RoleArn"])
        yield Thing(SCHEDULE, f"{name} schedule", name, properties, {"Arn": found["Arn"]})


def pipes(reading: Reading) -> Iterator[Thing]:
    kind = "AWS::Pipes::Pipe"
    client = reading.client("pipes")
    for listed in reading.pages("pipes", "list_pipes", "Pipes"):
        name = listed["Name"]
        found = None if reading.is_held(kind, name) else unless("NotFoundException", client.describe_pipe, Name=name)
        if found is None:
            continue
        properties = {"Name": name, "RoleArn": found["RoleArn"], **said(found, _PIPE, {"DesiredState": "RUNNING"})}
        tags = {key: value for key, value in found.get("tags", {}).items() if not key.startswith("aws:")}
        reading.roles.add(found["RoleArn"])
        yield Thing(kind, f"{name} pipe", name, properties | ({"Tags": tags} if tags else {}), {"Arn": found["Arn"]})
