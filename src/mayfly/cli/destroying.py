"""`mayfly destroy`: an application removed whole, with what its buckets hold where that is wished."""

import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from botocore.exceptions import ClientError

from mayfly.cli import deploying, intents
from mayfly.cli.connection import Connection, connect
from mayfly.cli.dev_stack import NoTemplateError, find_template
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import ConfigFileOption, ConfigOption, DataOption
from mayfly.cli.output import complaints, counted, escape, fail, failures_in_one_line
from mayfly.cli.samconfig import Choice
from mayfly.cli.stack_progress import StackProgress, new_events
from mayfly.cli.stacks import described, resources_of

_BATCH = 1000  # objects that one request deletes at most
_FAILED = "DELETE_FAILED"
_BUCKET, _NESTED = "AWS::S3::Bucket", "AWS::CloudFormation::Stack"


def destroy(
    stack: Annotated[
        str | None, typer.Argument(help="Name of the stack; by default that of the template in this folder.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the stack is deleted.")] = False,
    retain: Annotated[
        list[str] | None,
        typer.Option(
            "--retain",
            metavar="LOGICAL_ID",
            help="Of a stack whose deletion failed: a resource to leave as it is. May be given several times.",
        ),
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Delete what its buckets hold, too, without asking.")] = False,
    config_file: ConfigFileOption = None,
    config_env: ConfigOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Remove an application: delete its stack and every resource of it.

    A bucket that holds objects cannot be deleted: what it holds goes first, with [bold]--empty[/] or where you say so.
    Resources whose DeletionPolicy is Retain stay.
    """
    with failures_in_one_line():
        connection = connect(data)
        client = connection.client("cloudformation")
        name = stack or _here(Choice(config_file, config_env))
        found = described(client, name)
        kept = _kept(client, found, retain or [])
        full = _full(connection, client, found["StackId"], kept)
        if not yes and not typer.confirm(f"Delete stack {name} and everything in it?"):
            raise typer.Exit(1)
        if full and not empty and _may_empty_itself(client, found["StackId"]):
            full = []
        if full and not empty:
            _ask_about(name, full, asks=not yes)
        for bucket in full:
            complaints.print(f"emptying bucket {bucket}: {counted(_empty(connection.client('s3'), bucket), 'object')}")
        _delete(client, name, found["StackId"], kept)
    complaints.print(f"deleted stack {name}")


def _may_empty_itself(client: Any, stack_id: str) -> bool:
    """Whether something of the stack acts when it is deleted, which often is there to empty buckets."""
    kinds = (one["ResourceType"] for one in resources_of(client, stack_id))
    return any(kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource" for kind in kinds)


def _here(choice: Choice) -> str:
    try:
        return intents.name_of(find_template(Path()), choice)
    except NoTemplateError:
        fail("say which stack: there is no template in this folder. `mayfly stacks` lists those that there are")


def _ask_about(name: str, full: list[str], *, asks: bool) -> None:
    held = ", ".join(full)
    if not asks:
        fail(f"buckets of stack {name} hold objects: {held}. With --empty they are deleted, too; nothing was deleted")
    if not typer.confirm(f"Delete all objects in {held}, too?"):
        fail(f"stack {name} stays: its buckets hold objects ({held})")


def _kept(client: Any, stack: dict[str, Any], retain: list[str]) -> list[str]:
    """The resources to leave, checked: AWS leaves some only where it could not delete them."""
    if not retain:
        return []
    name, status = stack["StackName"], stack["StackStatus"]
    if status != _FAILED:
        fail(
            f"--retain is for stacks whose deletion failed, and {name} is {status}: say DeletionPolicy: Retain of "
            f"{', '.join(retain)} in its template, deploy that, and destroy it then"
        )
    there = [one["LogicalResourceId"] for one in resources_of(client, stack["StackId"])]
    for one in retain:
        if one not in there:
            fail(f"{name} has no resource {one}; it has {', '.join(sorted(there))}")
    return retain


def _delete(client: Any, name: str, stack_id: str, kept: list[str]) -> None:
    progress = StackProgress(complaints)
    seen: set[str] = set()
    new_events(client, stack_id, seen)
    client.delete_stack(StackName=stack_id, **({"RetainResources": kept} if kept else {}))
    with progress.shown():
        status = progress.follow(client, stack_id, name, seen, time.sleep)
    if status != "DELETE_COMPLETE":
        left = " ".join(f"--retain {one}" for one in dict.fromkeys(failure[0] for failure in progress.failures))
        if left:
            complaints.print(
                f"mayfly destroy {escape(name)} {escape(left)} deletes the stack, and leaves what is named"
            )
        deploying.explain_failure(f"stack {name} could not be deleted ({status})", progress)


def _full(connection: Connection, client: Any, stack_id: str, retained: list[str]) -> list[str]:
    """The buckets of a stack, and of those nested in it, that would be deleted and hold anything."""
    kept = _retained(client, stack_id) | set(retained)
    found: list[str] = []
    for one in resources_of(client, stack_id):
        physical = one.get("PhysicalResourceId", "")
        if not physical or one["LogicalResourceId"] in kept:
            continue
        if one["ResourceType"] == _NESTED:
            found += _full(connection, client, physical, [])
        elif one["ResourceType"] == _BUCKET and _holds(connection.client("s3"), physical):
            found.append(physical)
    return found


def _retained(client: Any, stack_id: str) -> set[str]:
    body = client.get_template(StackName=stack_id, TemplateStage="Processed")["TemplateBody"]
    resources = body.get("Resources", {}) if isinstance(body, dict) else {}
    return {name for name, one in resources.items() if str(one.get("DeletionPolicy", "")).startswith("Retain")}


def _holds(s3: Any, bucket: str) -> bool:
    try:
        found = s3.list_object_versions(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return False
        raise
    return bool(found.get("Versions") or found.get("DeleteMarkers"))


def _empty(s3: Any, bucket: str) -> int:
    """Delete every version of every object; how many there were."""
    count = 0
    while True:
        found = s3.list_object_versions(Bucket=bucket, MaxKeys=_BATCH)
        doomed = [
            {"Key": one["Key"], "VersionId": one["VersionId"]}
            for one in (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))
        ]
        if not doomed:
            return count
        reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
        if errors := reply.get("Errors"):
            _not_emptied(bucket, errors[0])
        count += len(doomed)


def _not_emptied(bucket: str, error: dict[str, Any]) -> NoReturn:
    fail(f"bucket {bucket} cannot be emptied: {error['Key']}: {error.get('Message', error['Code'])}")
