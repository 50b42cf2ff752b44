"""`mayfly export`: what is deployed, as a SAM template with its code beside it, to be taken elsewhere."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from mayfly.app.local import parse_template
from mayfly.cli.artifacts import Artifacts
from mayfly.cli.beside import TEMPLATES
from mayfly.cli.connection import Connection, connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import TEMPLATE, DataOption
from mayfly.cli.output import complaints, counted, fail, failures_in_one_line
from mayfly.cli.stacks import resources_of

_HIDDEN = "****"  # what DescribeStacks shows of a parameter with NoEcho


@dataclass
class Export:
    """What was written, and what its reader has to know."""

    codes: int = 0
    notes: list[str] = field(default_factory=list)


def export(
    stack: Annotated[str, typer.Argument(help="Name of the stack.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to make; by default one of the stack's name.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Write what is deployed as a SAM template: its code beside it, its parameters in samconfig.toml.

    [bold]sam deploy[/] brings that to AWS, [bold]mayfly deploy[/] to another platform. The code is what runs now, with
    what it depends on. What a bucket or a table holds is not taken along.
    """
    target = out or Path(stack)
    if target.exists() and any(target.iterdir() if target.is_dir() else [target]):
        fail(f"{target} is there already; name another folder with --out")
    with failures_in_one_line():
        made = write(connect(data), stack, target)
    for note in made.notes:
        complaints.print(f"[yellow]note:[/] {note}", highlight=False)
    complaints.print(f"wrote {target / TEMPLATE} and {counted(made.codes, 'package')} of code beside it")


def write(connection: Connection, stack: str, target: Path) -> Export:
    """Write a stack, and those nested in it, below `target`; `MayflyError`, botocore's errors."""
    client = connection.client("cloudformation")
    found = client.describe_stacks(StackName=stack)["Stacks"][0]
    body = _parsed(client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"])
    physical = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in resources_of(client, found["StackId"])
        if one.get("PhysicalResourceId")
    }
    made = Export()
    target.mkdir(parents=True, exist_ok=True)
    artifacts = Artifacts(connection, target)
    resources: dict[str, Any] = {}
    for logical_id, resource in body["Resources"].items():
        resources[logical_id] = resource
        own = physical.get(logical_id)
        if (member := TEMPLATES.get(resource.get("Type", ""))) is not None and own is not None:
            child = write(connection, own, target / logical_id)
            made.codes += child.codes
            made.notes += child.notes
            place = f"{logical_id}/{TEMPLATE}"
            resources[logical_id] = {**resource, "Properties": {**resource["Properties"], member: place}}
        elif artifacts.concern(resource):
            resources[logical_id] = artifacts.beside(logical_id, resource, own, body.get("Globals", {}))
    made.codes += artifacts.written
    made.notes += artifacts.notes
    text = yaml.safe_dump({**body, "Resources": resources}, sort_keys=False, allow_unicode=True, width=120)
    (target / TEMPLATE).write_text(text, encoding="utf-8")
    _write_configuration(found, connection.region, target, made)
    return made


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
