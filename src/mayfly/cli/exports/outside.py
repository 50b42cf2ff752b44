"""What belongs to no stack, as one template: everything is read, named, tied together and written, code beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mayfly.cli.artifacts import Artifacts
from mayfly.cli.connection import Connection
from mayfly.cli.exports import functions, granting, happenings, http_apis, messaging, observing, rest, storing, values
from mayfly.cli.exports.references import References, Template
from mayfly.cli.exports.things import Reader, Reading, Thing
from mayfly.cli.exports.yaml import dumped
from mayfly.cli.options import TEMPLATE
from mayfly.cli.stacks import resources_of

# In the order of the template. Roles come after all that may name one.
_READERS: tuple[Reader, ...] = (
    functions.functions,
    functions.layers,
    functions.event_source_mappings,
    functions.scaling,
    rest.rest_apis,
    rest.usage_plans,
    rest.domains,
    http_apis.http_apis,
    storing.buckets,
    storing.tables,
    messaging.queues,
    messaging.topics,
    messaging.subscriptions,
    happenings.buses,
    happenings.archives,
    happenings.destinations,
    happenings.schedules,
    happenings.pipes,
    observing.log_groups,
    observing.log_policies,
    observing.alarms,
    values.parameters,
    values.secrets,
    granting.policies,
    granting.roles,
    granting.people,
)
_GONE = "DELETE_COMPLETE"
_LONGEST = 200


@dataclass(slots=True)
class Written:
    """What was written."""

    resources: int
    codes: int
    notes: list[str]


def found(connection: Connection, held: frozenset[tuple[str, str]]) -> tuple[dict[str, Thing], list[str]]:
    """Everything that is not `held` by a stack, by logical id; what there is to say of the rest. botocore's errors."""
    reading = Reading(connection, held)
    things: dict[str, Thing] = {}
    for reader in _READERS:
        for thing in reader(reading):
            things[_logical_id(thing, things)] = thing
    return things, reading.notes


def templated(connection: Connection, things: dict[str, Thing], notes: list[str]) -> Template:
    """Things tied together; their code is still to be fetched."""
    template = Template(notes=notes)
    References(things, connection.account, connection.region, _hosts(connection.url), template).resolve()
    return template


def write(connection: Connection, target: Path) -> Written | None:
    """Write what belongs to no stack below `target`; None, and nothing is written, where there is nothing.
    `MayflyError`, botocore's errors."""
    things, notes = found(connection, frozenset(_held(connection)))
    if not things:
        return None
    template = templated(connection, things, notes)
    target.mkdir(parents=True, exist_ok=True)
    artifacts = Artifacts(connection, target)
    for id_, thing in things.items():
        if thing.address:
            template.resources[id_] = artifacts.fetched(id_, template.resources[id_], thing.address)
    body: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "What was deployed outside of stacks",
        **({"Parameters": dict(sorted(template.parameters.items()))} if template.parameters else {}),
        "Resources": template.resources,
    }
    (target / TEMPLATE).write_text(dumped(body), encoding="utf-8")
    if asked := sorted(name for name, one in template.parameters.items() if "Default" not in one):
        template.notes.append(f"values are not written: give {', '.join(asked)} with the deployment")
    return Written(len(things), artifacts.written, template.notes)


def _held(connection: Connection) -> Iterator[tuple[str, str]]:
    """The types and physical ids of everything that stacks have."""
    client = connection.client("cloudformation")
    for page in client.get_paginator("list_stacks").paginate():
        for stack in page["StackSummaries"]:
            if stack["StackStatus"] == _GONE:
                continue
            for one in resources_of(client, stack["StackId"]):
                if one.get("PhysicalResourceId"):
                    yield one["ResourceType"], one["PhysicalResourceId"]


def _logical_id(thing: Thing, taken: dict[str, Thing]) -> str:
    """Its name as one word of letters and digits; with its type where that is taken, then with a number."""
    words = re.findall(r"[A-Za-z0-9]+", thing.name)
    name = "".join(word[0].upper() + word[1:] for word in words)[:_LONGEST] or "Thing"
    if name[0].isdigit():
        name = f"{thing.type.rpartition('::')[2]}{name}"
    if name not in taken:
        return name
    name = f"{name}{thing.type.rpartition('::')[2]}"
    number, numbered = 1, name
    while numbered in taken:
        number += 1
        numbered = f"{name}{number}"
    return numbered


def _hosts(url: str) -> list[str]:
    """How the platform is called in addresses, by what is on its machine and by others."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return sorted({parts.netloc, f"127.0.0.1{port}", f"localhost{port}"} if port else {parts.netloc})
