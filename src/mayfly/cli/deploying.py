"""`mayfly deploy`: applications as stacks."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NoReturn

import typer
from botocore.exceptions import ClientError

from mayfly.cli import intents, sdk_need, templates, watching
from mayfly.cli.connection import Connection, connect
from mayfly.cli.dependencies import Installer
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.intents import Intent
from mayfly.cli.keeping import Kept
from mayfly.cli.opening import reachable
from mayfly.cli.options import (
    ConfigFileOption,
    ConfigOption,
    DataOption,
    InertOption,
    JsonOption,
    OverridesOption,
    ParameterOption,
    StackNameOption,
    TagsOption,
    TemplateArgument,
)
from mayfly.cli.output import complaints, console, escape, fail, failures_in_one_line, print_json
from mayfly.cli.packaging import Packager, Report
from mayfly.cli.samconfig import Choice
from mayfly.cli.stack_progress import StackProgress, new_events
from mayfly.cli.uploading import Uploader
from mayfly.sandbox import nodes

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
NO_UPDATES = "No updates are to be performed"
MOST_INLINE = 51_200  # bytes of a template in a request


def deploy(
    template: TemplateArgument = None,
    stack_name: StackNameOption = None,
    parameter: ParameterOption = None,
    parameter_overrides: OverridesOption = None,
    tags: TagsOption = None,
    config_file: ConfigFileOption = None,
    config_env: ConfigOption = None,
    accept_inert: InertOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Deploy again whenever the template or code changes, until Ctrl-C.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Bring an application: package local code, then create or update its stack.

    Beside the options counts what samconfig.toml says. Parameters that are not given keep the values that the stack
    has. [bold]mayfly diff[/] shows what would change.
    """
    choice = Choice(config_file, config_env)

    def meant() -> Intent:
        return intents.intended(
            intents.template_of(template, choice, "deploy"),
            choice,
            stack_name=stack_name,
            parameter=parameter,
            overrides=parameter_overrides,
            tags=tags,
            accept_inert=accept_inert,
        )

    def once() -> None:
        progress = StackProgress(complaints)
        with failures_in_one_line():
            intent = meant()
            connection = connect(data)
            body = templates.load(intent.template)
            changed, status = bring(connection, body, intent, progress)
            conclude(intent.name, status, changed, progress)
            if intent.insists and not changed:
                fail("nothing changed, and fail_on_empty_changeset of samconfig.toml takes that for a failure")
            stack = connection.client("cloudformation").describe_stacks(StackName=intent.name)["Stacks"][0]
            print_warnings(connection, intent.name)
            _print_what_lacks_the_sdk(connection, body, intent)
        _print_outputs(connection, stack, json_output)

    if watch:
        with failures_in_one_line():
            first = meant()
        watching.repeat(once, first.template, first.sources)
    else:
        once()


def bring(connection: Connection, body: dict[str, Any], intent: Intent, progress: StackProgress) -> tuple[bool, str]:
    """Package the local code of a template, which reads `body`, and make the stack what it says; whether anything
    changed, and the stack's last status. `MayflyError`, botocore's errors."""
    with progress.shown():
        return _apply(connection, uploaded(connection, body, intent, progress), intent, progress)


def uploaded(connection: Connection, body: dict[str, Any], intent: Intent, progress: StackProgress) -> dict[str, Any]:
    """The template with what lies beside it packaged, uploaded and referred to. `MayflyError`, botocore's errors."""
    made = packagers(connection.runtimes, served=substitutes(connection))
    return Uploader(connection, made, _kept(), progress.step, intent.sources).uploaded(body, intent.template)


def packagers(
    runtimes: Path,
    *,
    here: bool = True,
    from_source: bool = False,
    served: Mapping[str, str] = MappingProxyType({}),
) -> templates.Packagers:
    """What makes packages: with what runs on this machine (`here`), or on the Linux that AWS runs functions on.
    `runtimes`: where an npm may be; `from_source`, `served`: see `Installer`."""
    kept = _kept()

    def packager(report: Report) -> Packager:
        made = Installer(kept, runtimes, report, here=here, from_source=from_source, served=served)
        return Packager(kept, made, report)

    return packager


def installer(connection: Connection, report: Report) -> Installer:
    """What installs for the platform that is connected to."""
    return Installer(_kept(), connection.runtimes, report, served=substitutes(connection))


def substitutes(connection: Connection) -> dict[str, str]:
    """The runtimes of Python that another version than theirs serves on the platform, and which."""
    found: dict[str, str] = connection.get("/_mayfly/status").get("substitutes", {})
    return found


def _kept() -> Kept:
    """Packages, what they depend on, and tools that were fetched."""
    return Kept(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mayfly")


def _apply(
    connection: Connection, template: dict[str, Any], intent: Intent, progress: StackProgress
) -> tuple[bool, str]:
    """Create or update the stack; whether anything changed, and its last status."""
    client, name = connection.client("cloudformation"), intent.name
    seen: set[str] = set()
    found = existing(client, name)
    if found is not None and found["StackStatus"] in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"):
        # What a failed creation leaves behind can only be deleted; nothing of it is in use.
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=found["StackId"], WaiterConfig={"Delay": 1})
        found = None
    wanted = request(connection, template, intent, found)
    if found is None:
        stack_id = client.create_stack(**wanted, OnFailure=intent.on_failure)["StackId"]
    else:
        new_events(client, found["StackId"], seen)
        try:
            stack_id = client.update_stack(**wanted, DisableRollback=intent.on_failure == "DO_NOTHING")["StackId"]
        except ClientError as error:
            if NO_UPDATES in error.response["Error"]["Message"]:
                return False, found["StackStatus"]
            raise
    return True, progress.follow(client, stack_id, name, seen, time.sleep)


def request(
    connection: Connection, template: dict[str, Any], intent: Intent, found: dict[str, Any] | None
) -> dict[str, Any]:
    """What CreateStack, UpdateStack and CreateChangeSet are asked alike. Parameters that are not given keep what they
    have in the stack that was `found`, and it has the intent's tags beside its own; a template too large for a request
    is uploaded. botocore's errors."""
    values, tags = intent.values, intent.tags
    declared = template.get("Parameters")
    before = {one["ParameterKey"] for one in (found or {}).get("Parameters", ())}
    kept = sorted((before & set(declared if isinstance(declared, dict) else ())) - set(values))
    held = {tag["Key"]: tag["Value"] for tag in (found or {}).get("Tags", ())}
    return {
        "StackName": intent.name,
        **intent.settings,
        **({"Tags": [{"Key": key, "Value": value} for key, value in {**held, **tags}.items()]} if tags else {}),
        **_body(connection, json.dumps(template)),
        "Parameters": [
            *({"ParameterKey": key, "ParameterValue": value} for key, value in values.items()),
            *({"ParameterKey": key, "UsePreviousValue": True} for key in kept),
        ],
        "Capabilities": CAPABILITIES,
    }


def _body(connection: Connection, text: str) -> dict[str, str]:
    data = text.encode()
    if len(data) <= MOST_INLINE:
        return {"TemplateBody": text}
    s3 = connection.client("s3")
    bucket = templates.artifact_bucket(s3, connection.account, connection.region)
    key = f"{hashlib.sha256(data).hexdigest()}.template"
    s3.put_object(Bucket=bucket, Key=key, Body=data)
    return {"TemplateURL": f"{connection.url}/{bucket}/{key}"}


def existing(client: Any, name: str) -> dict[str, Any] | None:
    """The stack of that name, as DescribeStacks shows it; None: there is none."""
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
        explain_failure(f"stack {name} was not deployed ({status})", progress)


def explain_failure(summary: str, progress: StackProgress) -> NoReturn:
    """End the command, saying what failed, and why."""
    for logical_id, kind, reason in progress.failures:
        complaints.print(f"[red]{logical_id}[/] ({kind}): {escape(reason)}")
    fail(summary)


def print_warnings(connection: Connection, stack: str) -> None:
    """What the platform has to say of the stack: what of it is inert, or that another Python runs a function."""
    resources = connection.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    for one in resources:
        if one["ResourceStatus"].endswith("_COMPLETE") and "ResourceStatusReason" in one:
            told = f"{one['LogicalResourceId']} ({one['ResourceType']}): {one['ResourceStatusReason']}"
            complaints.print(f"[yellow]{escape(told)}[/]")
    names = {one.get("PhysicalResourceId") for one in resources if one["ResourceType"] == "AWS::Lambda::Function"}
    for function in connection.get("/_mayfly/status")["functions"] if names else []:
        for warning in function["warnings"] if function["name"] in names else []:
            complaints.print(f"[yellow]{escape(function['name'])}[/]: {escape(warning)}")


def _print_what_lacks_the_sdk(connection: Connection, body: dict[str, Any], intent: Intent) -> None:
    """Which functions will not find the AWS SDK for JavaScript, where the platform is on this machine and lacks it."""
    if connection.runtimes == Path(os.devnull) or nodes.sdk(connection.runtimes) is not None:
        return
    if names := ", ".join(sdk_need.asking(body, intent.template.resolve().parent, intent.sources)):
        complaints.print(
            f"[yellow]{escape(names)}[/]: the code asks for the AWS SDK for JavaScript, which this platform has not: "
            "run `mayfly runtime install sdk`, then start the platform again"
        )


def _print_outputs(connection: Connection, stack: dict[str, Any], as_json: bool) -> None:
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if as_json:
        print_json({"StackId": stack["StackId"], "StackStatus": stack["StackStatus"], "Outputs": outputs})
        return
    for key, value in outputs.items():
        console.print(f"[bold]{key}[/]  {escape(value)}")
        if (here := reachable(connection, value)) != value:
            console.print(f"{'':{len(key)}}  [dim]from here:[/] {escape(here)}")
