"""What belongs to no stack, as one template: everything is read, named, tied together and written, code beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mayfly.cli.connection import Connection
from mayfly.cli.exports import (
    capacity,
    domains,
    functions,
    granting,
    happenings,
    http_apis,
    layers,
    messaging,
    observing,
    rest,
    rollouts,
    sources,
    storing,
    values,
)
from mayfly.cli.exports.choosing import chosen
from mayfly.cli.exports.history import pruned, steps
from mayfly.cli.exports.leaving import elsewhere, shown
from mayfly.cli.exports.packages import Packages
from mayfly.cli.exports.references import References, Template
from mayfly.cli.exports.things import Reader, Reading, Thing
from mayfly.cli.exports.yaml import dumped
from mayfly.cli.options import TEMPLATE
from mayfly.cli.stacks import resources_of

# In the order of the template. Roles come after all that may name one.
_READERS: tuple[Reader, ...] = (
    functions.functions,
    layers.layers,
    sources.event_source_mappings,
    sources.scaling,
    capacity.providers,
    capacity.signing,
    rollouts.configs,
    rollouts.applications,
    rest.account,
    rest.rest_apis,
    rest.usage_plans,
    http_apis.http_apis,
    domains.domains,
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
    granting.profiles,
    granting.people,
)
_GONE = "DELETE_COMPLETE"
_LONGEST = 200
_MOST, _MOST_PARAMETERS = 500, 200  # resources and parameters in a template, here and on AWS
_STEPS = "versions"  # the folder with what is deployed before the last template
_DESCRIPTION = "What was deployed"


@dataclass(slots=True)
class Written:
    """What was written."""

    resources: int
    codes: int
    notes: list[str]
    steps: list[Path]  # the folders of what has to be deployed before, in this order


def found(
    connection: Connection, held: frozenset[tuple[str, str]], *, every: bool = False
) -> tuple[dict[str, Thing], list[str]]:
    """Everything that is not `held` by a stack, by logical id; what there is to say of the rest. `every`: all versions,
    also those that nothing refers to. `MayflyError`, botocore's errors."""
    reading = Reading(connection, held)
    things: dict[str, Thing] = {}
    for thing in chosen([thing for reader in _READERS for thing in reader(reading)], reading.notes, every=every):
        things[_logical_id(thing, things)] = thing
    return things, reading.notes


def templated(connection: Connection, things: dict[str, Thing], notes: list[str]) -> Template:
    """Things tied together; their code is still to be fetched."""
    template = Template(notes=notes)
    References(things, connection.account, connection.region, _hosts(connection.url), template).resolve()
    return template


def write(connection: Connection, target: Path, *, every: bool = False, ignore_stacks: bool = False) -> Written | None:
    """Write what belongs to no stack below `target`; None, and nothing is written, where there is nothing. `every`: see
    `found`. `ignore_stacks`: what belongs to one, too. `MayflyError`, botocore's errors."""
    of_stacks = () if ignore_stacks else _held(connection)
    held = {(kind, physical): stack for kind, physical, stack in of_stacks}
    things, notes = found(connection, frozenset(held), every=every)
    if not things:
        return None
    template = templated(connection, things, notes)
    target.mkdir(parents=True, exist_ok=True)
    packages = Packages(connection, target, things)
    last = packages.placed(template)
    (target / TEMPLATE).write_text(dumped(_body(last, _DESCRIPTION)), encoding="utf-8")
    folders, early = _write_steps(connection, target, things, packages)
    if folders:
        series = sorted({one.series for one in things.values() if one.state is not None and one.number})
        notes.append(_in_order(target, folders, series))
    notes += elsewhere(things, held)
    if asked := sorted(_asked(last) | set(early)):
        notes.append(f"values are not written: give {', '.join(asked)} with the deployment")
    notes += [f"{name} is to be given with {place}/{TEMPLATE} already" for name, place in sorted(early.items())]
    if len(things) > _MOST:
        notes.append(f"{len(things)} resources are more than the {_MOST} that a stack takes: divide the template")
    if len(last.parameters) > _MOST_PARAMETERS:
        notes.append(
            f"{len(last.parameters)} parameters are more than the {_MOST_PARAMETERS} that a stack takes: divide the "
            "template, or write values down in it"
        )
    return Written(len(things), packages.written, notes, folders)


def _write_steps(
    connection: Connection, target: Path, things: dict[str, Thing], packages: Packages
) -> tuple[list[Path], dict[str, Path]]:
    """The templates before the last one, a folder each; the parameters that have to be given, and with which first."""
    folders: list[Path] = []
    asked: dict[str, Path] = {}
    before: frozenset[str] = frozenset()
    made = steps(things)
    for number, step in enumerate(made, 1):
        whole = templated(connection, step.things, [])
        template = pruned(whole, step.wanted | before)
        before = frozenset(template.resources)
        folder = target / _STEPS / str(number).zfill(len(str(len(made))))  # in order also for a shell
        folder.mkdir(parents=True)
        placed = packages.placed(template, folder, step.versions)
        said = f"{_DESCRIPTION}, step {number} of {len(made) + 1}: versions of functions"
        (folder / TEMPLATE).write_text(dumped(_body(placed, said)), encoding="utf-8")
        folders.append(folder)
        asked = dict.fromkeys(_asked(template), folder.relative_to(target)) | asked
    return folders, asked


def _asked(template: Template) -> set[str]:
    """The parameters without a default."""
    return {name for name, one in template.parameters.items() if "Default" not in one}


def _in_order(target: Path, folders: list[Path], functions: list[str]) -> str:
    first = f"{folders[0].relative_to(target)}/{TEMPLATE}"
    through = f" to {folders[-1].relative_to(target)}/{TEMPLATE}" if len(folders) > 1 else ""
    return (
        f"versions are made one after another ({shown(functions)}): deploy {first}{through}, then {TEMPLATE}, in "
        "this order and as the same stack"
    )


def _body(template: Template, description: str) -> dict[str, Any]:
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": description,
        **({"Parameters": dict(sorted(template.parameters.items()))} if template.parameters else {}),
        "Resources": template.resources,
    }


def _held(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """The types and physical ids of everything that stacks have, and the stacks' names."""
    client = connection.client("cloudformation")
    for page in client.get_paginator("list_stacks").paginate():
        for stack in page["StackSummaries"]:
            if stack["StackStatus"] == _GONE:
                continue
            for one in resources_of(client, stack["StackId"]):
                if one.get("PhysicalResourceId"):
                    yield one["ResourceType"], one["PhysicalResourceId"], stack["StackName"]


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
