"""`mayfly deploy` and `mayfly delete`: applications as stacks."""

import json
import os
import re
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from botocore.exceptions import ClientError

from mayfly.cli import templates
from mayfly.cli.connection import Connection, connect
from mayfly.cli.dependencies import Installer
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import (
    DEFAULT_TEMPLATE,
    DataOption,
    JsonOption,
    ParameterOption,
    StackNameOption,
    TemplateArgument,
)
from mayfly.cli.output import complaints, console, escape, fail, failures_in_one_line, print_json
from mayfly.cli.packaging import Packager, Report
from mayfly.cli.stack_progress import StackProgress, new_events

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
NO_UPDATES = "No updates are to be performed"


def deploy(
    template: TemplateArgument = DEFAULT_TEMPLATE,
    stack_name: StackNameOption = None,
    parameter: ParameterOption = None,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Bring an application: package local code, then create or update its stack."""
    name = stack_name or default_name(template)
    values = parameters(parameter)
    progress = StackProgress(complaints)
    with failures_in_one_line():
        connection = connect(data)
        changed, status = bring(connection, templates.load(template), template, name, values, progress)
        conclude(name, status, changed, progress)
        stack = connection.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        print_warnings(connection, name)
    _print_outputs(stack, json_output)


def bring(
    connection: Connection,
    body: dict[str, Any],
    template: Path,
    name: str,
    values: dict[str, str],
    progress: StackProgress,
) -> tuple[bool, str]:
    """Package the local code of a template, whose file is `template`, and make the stack what it says; whether
    anything changed, and the stack's last status. `MayflyError`, botocore's errors."""
    with progress.shown():
        prepared = _upload(connection, body, template, progress)
        return _apply(connection.client("cloudformation"), name, prepared, values, progress)


def delete(
    stack: Annotated[str, typer.Argument(help="Name of the stack.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Remove an application: delete its stack and every resource of it.

    A bucket that still holds objects is not deleted, and stops it: empty it first ([bold]aws s3 rm --recursive[/]).
    """
    progress = StackProgress(complaints)
    with failures_in_one_line():
        client = connect(data).client("cloudformation")
        stack_id = client.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        if not yes and not typer.confirm(f"Delete stack {stack} and everything in it?"):
            raise typer.Exit(1)
        seen: set[str] = set()
        new_events(client, stack_id, seen)
        client.delete_stack(StackName=stack)
        with progress.shown():
            status = progress.follow(client, stack_id, stack, seen, time.sleep)
    if status != "DELETE_COMPLETE":
        if any("not empty" in reason for _, _, reason in progress.failures):
            complaints.print("Empty the bucket with `aws s3 rm s3://BUCKET --recursive`, then delete the stack again.")
        _explain_failure(f"stack {stack} could not be deleted ({status})", progress)
    complaints.print(f"deleted stack {stack}")


def default_name(template: Path) -> str:
    """The name of the template's folder, made fit for a stack: letters, digits and hyphens, a letter first. Of what
    `mayfly build` left, that of the folder which was built."""
    folder = template.resolve().parent
    if folder.parts[-2:] == (".mayfly", "build"):
        folder = folder.parent.parent
    words = re.sub(r"[^A-Za-z0-9]+", "-", folder.name).strip("-")[:100]
    return words if words[:1].isalpha() else f"stack-{words}".rstrip("-")


def _upload(connection: Connection, body: dict[str, Any], template: Path, progress: StackProgress) -> dict[str, Any]:
    codes = list(templates.local_code(body, template.resolve().parent))
    if not codes:
        return body
    s3 = connection.client("s3")
    bucket = templates.artifact_bucket(s3, connection.account, connection.region)
    return templates.with_uploads(body, codes, s3, bucket, packagers(connection.runtimes), progress.step)


def packagers(runtimes: Path, *, here: bool = True, from_source: bool = False) -> templates.Packagers:
    """What makes packages: with what runs on this machine (`here`), or on the Linux that AWS runs functions on.
    `runtimes`: where an npm may be; `from_source`: see `Installer`."""
    cache = _cache()

    def packager(report: Report) -> Packager:
        return Packager(cache, Installer(cache, runtimes, report, here=here, from_source=from_source), report)

    return packager


def installer(runtimes: Path, report: Report) -> Installer:
    """What installs for this machine."""
    return Installer(_cache(), runtimes, report)


def _cache() -> Path:
    """Where packages are kept, and what they depend on."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mayfly"


def _apply(
    client: Any, name: str, template: dict[str, Any], values: dict[str, str], progress: StackProgress
) -> tuple[bool, str]:
    """Create or update the stack; whether anything changed, and its last status."""
    request: dict[str, Any] = {
        "StackName": name,
        "TemplateBody": json.dumps(template),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        "Capabilities": CAPABILITIES,
    }
    seen: set[str] = set()
    existing = _existing(client, name)
    if existing is not None and existing["StackStatus"] == "ROLLBACK_COMPLETE":
        # What a failed creation leaves behind can only be deleted; nothing of it is in use.
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=existing["StackId"], WaiterConfig={"Delay": 1})
        existing = None
    if existing is None:
        stack_id = client.create_stack(**request)["StackId"]
    else:
        new_events(client, existing["StackId"], seen)
        try:
            stack_id = client.update_stack(**request)["StackId"]
        except ClientError as error:
            if NO_UPDATES in error.response["Error"]["Message"]:
                return False, existing["StackStatus"]
            raise
    return True, progress.follow(client, stack_id, name, seen, time.sleep)


def _existing(client: Any, name: str) -> dict[str, Any] | None:
    try:
        stack: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return stack


def conclude(name: str, status: str, changed: bool, progress: StackProgress) -> None:
    """Say how a deployment ended; one that failed ends the command."""
    if not changed:
        complaints.print(f"stack {name} is up to date")
    elif status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        complaints.print(f"[green]stack {name} is deployed[/]")
    else:
        _explain_failure(f"stack {name} was not deployed ({status})", progress)


def _explain_failure(summary: str, progress: StackProgress) -> NoReturn:
    for logical_id, kind, reason in progress.failures:
        complaints.print(f"[red]{logical_id}[/] ({kind}): {escape(reason)}")
    fail(summary)


def print_warnings(connection: Connection, stack: str) -> None:
    """What the platform has to say of the stack's functions: for example, that another Python runs them."""
    resources = connection.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    names = {one.get("PhysicalResourceId") for one in resources if one["ResourceType"] == "AWS::Lambda::Function"}
    for function in connection.get("/_mayfly/status")["functions"] if names else []:
        for warning in function["warnings"] if function["name"] in names else []:
            complaints.print(f"[yellow]{escape(function['name'])}[/]: {escape(warning)}")


def parameters(given: list[str] | None) -> dict[str, str]:
    """What `--parameter` was given."""
    return dict(_key_value(item) for item in given or [])


def _print_outputs(stack: dict[str, Any], as_json: bool) -> None:
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if as_json:
        print_json({"StackId": stack["StackId"], "StackStatus": stack["StackStatus"], "Outputs": outputs})
        return
    for key, value in outputs.items():
        console.print(f"[bold]{key}[/]  {escape(value)}")


def _key_value(item: str) -> tuple[str, str]:
    key, separator, value = item.partition("=")
    if not separator or not key:
        fail(f"--parameter takes KEY=VALUE, not {item!r}")
    return key, value
