"""`mayfly export`: what is deployed, as a SAM template with its code beside it, to be taken elsewhere."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from mayfly.app.local import parse_template
from mayfly.cli.artifacts import Artifacts
from mayfly.cli.beside import TEMPLATES
from mayfly.cli.connection import Connection, connect
from mayfly.cli.exports import outside
from mayfly.cli.exports.leaving import left_behind
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.intents import default_name
from mayfly.cli.options import TEMPLATE, DataOption
from mayfly.cli.output import complaints, counted, escape, fail, failures_in_one_line
from mayfly.cli.stacks import described, resources_of

_FOLDER = "exported"  # where nothing else is said
_OUTSIDE = "outside-of-stacks"  # of all that is exported, the folder with what belongs to no stack
_NOTHING = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")  # of stacks that nothing was made of
_HIDDEN = "****"  # what DescribeStacks shows of a parameter with NoEcho


@dataclass
class Export:
    """What was written, and what its reader has to know."""

    codes: int = 0
    notes: list[str] = field(default_factory=list)
    physical: set[str] = field(default_factory=set)  # ids of what stacks have
    resources: int = 0  # where that is not told by a template that somebody wrote


def export(
    stack: Annotated[
        str | None, typer.Argument(help="Name of a stack; by default what belongs to no stack is exported.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every stack, and what belongs to none, a folder each.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to make; by default one of the stack's name, or exported."),
    ] = None,
    all_versions: Annotated[
        bool,
        typer.Option(
            "--all-versions",
            help="Every version of functions and layers, not only the newest and those that something refers to.",
        ),
    ] = False,
    ignore_stacks: Annotated[
        bool,
        typer.Option(
            "--ignore-stacks", help="All that there is, as it is now and as if no stack had it, as one template."
        ),
    ] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Write what is deployed as a SAM template: its code beside it, its parameters in samconfig.toml.

    [bold]sam deploy[/] brings that to AWS, [bold]mayfly deploy[/] to another platform. The code is what runs now, with
    what it depends on. What was made by other means than a stack (boto3, the AWS CLI) is exported where no stack is
    named; functions with several versions take several templates, and in which order is said. What a bucket or a table
    holds, and the values of parameters and secrets, are not taken along: what stays, and why, is said at the end.
    """
    if (stack is not None) + everything + ignore_stacks > 1:
        fail("say either a stack, --all or --ignore-stacks")
    target = out or Path(stack or _FOLDER)
    if target.exists() and any(target.iterdir() if target.is_dir() else [target]):
        fail(f"{target} is there already; name another folder with --out")
    with failures_in_one_line():
        connection = connect(data)
        if stack is not None:
            made = write(connection, stack, target)
            made.notes += left_behind(connection, made.physical)
            _say(made, target)
            return
        names = sorted(_roots(connection)) if everything else []
        for name in names:
            _say(write(connection, name, target / name), target / name)
        place = target / _OUTSIDE if everything else target
        loose = outside.write(connection, place, every=all_versions, ignore_stacks=ignore_stacks)
        staying = left_behind(connection) if loose is not None or names else []
    if loose is not None:
        made = Export(loose.codes, loose.notes, resources=loose.resources)
        for folder in (*loose.steps, place):
            _write_configuration({"StackName": default_name(place / TEMPLATE)}, connection.region, folder, made)
        _say(made, place)
    _tell(staying)
    if loose is None and ignore_stacks:
        fail("nothing is deployed")
    if loose is None and not names:
        fail("nothing is deployed outside of stacks; `mayfly stacks` lists those that there are")


def _roots(connection: Connection) -> Iterator[str]:
    """The names of all stacks that are part of no other, and have been deployed."""
    for page in connection.client("cloudformation").get_paginator("describe_stacks").paginate():
        yield from (
            one["StackName"] for one in page["Stacks"] if "ParentId" not in one and one["StackStatus"] not in _NOTHING
        )


def _say(made: Export, target: Path) -> None:
    _tell(made.notes)
    resources = f", {counted(made.resources, 'resource')}" if made.resources else ""
    complaints.print(
        f"wrote {escape(str(target / TEMPLATE))}{resources} and {counted(made.codes, 'package')} of code beside it"
    )


def _tell(notes: list[str]) -> None:
    for note in notes:
        complaints.print(f"[yellow]note:[/] {escape(note)}", highlight=False)


def write(connection: Connection, stack: str, target: Path) -> Export:
    """Write a stack, and those nested in it, below `target`; `MayflyError`, botocore's errors."""
    client = connection.client("cloudformation")
    found = described(client, stack)
    body = _parsed(client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"])
    physical = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in resources_of(client, found["StackId"])
        if one.get("PhysicalResourceId")
    }
    made = Export(physical=set(physical.values()))
    target.mkdir(parents=True, exist_ok=True)
    artifacts = Artifacts(connection, target)
    resources: dict[str, Any] = {}
    checked = _checked(body["Resources"])
    made.notes += [
        f"{stack}: {', '.join(versions)} were published by one template after another, which this one cannot do at "
        "once: --ignore-stacks writes them all"
        for versions in checked.values()
        if len(versions) > 1
    ]
    for logical_id, resource in body["Resources"].items():
        resources[logical_id] = resource
        own = physical.get(logical_id)
        if (member := TEMPLATES.get(resource.get("Type", ""))) is not None and own is not None:
            child = write(connection, own, target / logical_id)
            made.codes += child.codes
            made.notes += child.notes
            made.physical |= child.physical
            place = f"{logical_id}/{TEMPLATE}"
            resources[logical_id] = {**resource, "Properties": {**resource["Properties"], member: place}}
        elif artifacts.concern(resource):
            whole = logical_id in checked
            resources[logical_id] = artifacts.beside(logical_id, resource, own, body.get("Globals", {}), whole=whole)
    made.codes += artifacts.written
    made.notes += artifacts.notes
    text = yaml.safe_dump({**body, "Resources": resources}, sort_keys=False, allow_unicode=True, width=120)
    (target / TEMPLATE).write_text(text, encoding="utf-8")
    _write_configuration(found, connection.region, target, made)
    return made


def _checked(resources: dict[str, Any]) -> dict[str, list[str]]:
    """Of functions whose versions say the checksum of their code, by logical id: those versions."""
    found: dict[str, list[str]] = {}
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource.get("Type") == "AWS::Lambda::Version" and "CodeSha256" in properties:
            function = properties.get("FunctionName")
            if isinstance(function, dict) and isinstance(function.get("Ref"), str):
                found.setdefault(function["Ref"], []).append(logical_id)
    return found


def _parsed(body: Any) -> dict[str, Any]:
    """A template as boto3 gives it: JSON as a dict already, YAML as its text."""
    template: dict[str, Any] = parse_template(body) if isinstance(body, str) else json.loads(json.dumps(body))
    return template


def _write_configuration(stack: dict[str, Any], region: str, target: Path, made: Export) -> None:
    """What `sam deploy` reads beside a template."""
    given = stack.get("Parameters", ())
    open_ = [one for one in given if one["ParameterValue"] != _HIDDEN]
    lines = [
        "version = 0.1",
        "",
        "[default.deploy.parameters]",
        f"stack_name = {json.dumps(stack['StackName'])}",
        f"region = {json.dumps(region)}",
        'capabilities = "CAPABILITY_IAM CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND"',
        "resolve_s3 = true",
    ]
    if open_:
        pairs = [f"{one['ParameterKey']}={json.dumps(one['ParameterValue'])}" for one in open_]
        lines.append(f"parameter_overrides = [{', '.join(json.dumps(pair) for pair in pairs)}]")
    if tags := stack.get("Tags"):
        pairs = [f"{tag['Key']}={json.dumps(tag['Value'])}" for tag in tags]
        lines.append(f"tags = [{', '.join(json.dumps(pair) for pair in pairs)}]")
    (target / "samconfig.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if hidden := [one["ParameterKey"] for one in given if one["ParameterValue"] == _HIDDEN]:
        made.notes.append(
            f"the values of {', '.join(hidden)} are secret and not written: give them with the deployment"
        )
