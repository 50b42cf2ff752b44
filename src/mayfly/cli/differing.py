"""`mayfly diff`: what a deployment would change, before it does."""

import time
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from mayfly.cli import change_lines, deploying, intents, templates
from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.intents import Intent
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
from mayfly.cli.output import complaints, console, counted, failures_in_one_line, print_json
from mayfly.cli.samconfig import Choice
from mayfly.cli.stack_progress import POLL_S, StackProgress
from mayfly.errors import CallerError

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class NotComparableError(CallerError):
    """The template cannot be compared with the stack; the message is the platform's reason."""


def diff(
    template: TemplateArgument = None,
    stack_name: StackNameOption = None,
    parameter: ParameterOption = None,
    parameter_overrides: OverridesOption = None,
    tags: TagsOption = None,
    config_file: ConfigFileOption = None,
    config_env: ConfigOption = None,
    accept_inert: InertOption = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with status 1 where there are differences, for scripts.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show what [bold]mayfly deploy[/] would change: + made, ~ changed, ! replaced, - removed. Nothing is changed."""
    with failures_in_one_line():
        choice = Choice(config_file, config_env)
        intent = intents.intended(
            intents.template_of(template, choice, "deploy"),
            choice,
            stack_name=stack_name,
            parameter=parameter,
            overrides=parameter_overrides,
            tags=tags,
            accept_inert=accept_inert,
        )
        found = compare(data, intent)
    if json_output:
        print_json(found)
    else:
        _print(found, intent.name)
    if exit_code and found:
        raise typer.Exit(1)


def compare(data: Path, intent: Intent) -> list[dict[str, Any]]:
    """The changes that would bring the stack to its template, as DescribeChangeSet has them; `MayflyError`."""
    connection = connect(data)
    client = connection.client("cloudformation")
    body = deploying.uploaded(connection, templates.load(intent.template), intent, StackProgress(complaints))
    existing = deploying.existing(client, intent.name)
    fresh = existing is None or existing["StackStatus"] == "REVIEW_IN_PROGRESS"
    if existing is not None and existing["StackStatus"] == "ROLLBACK_COMPLETE":
        raise NotComparableError(
            f"stack {intent.name} was never made: its creation failed and was taken back. `mayfly deploy` begins anew."
        )
    wanted = deploying.request(connection, body, intent, None if fresh else existing)
    change_set = client.create_change_set(
        **wanted,
        ChangeSetName=f"mayfly-diff-{uuid4().hex}",
        ChangeSetType="CREATE" if fresh else "UPDATE",
        Description="mayfly diff",
    )
    try:
        return _changes(client, change_set["Id"])
    finally:
        client.delete_change_set(ChangeSetName=change_set["Id"])
        if existing is None:  # there is none but for the comparison
            client.delete_stack(StackName=change_set["StackId"])


def _changes(client: Any, change_set: str) -> list[dict[str, Any]]:
    while True:
        found = client.describe_change_set(ChangeSetName=change_set, IncludePropertyValues=True)
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason", "")
            if any(words in reason for words in NO_CHANGES):
                return []
            raise NotComparableError(reason)
        if found["Status"] == "CREATE_COMPLETE":
            break
        time.sleep(POLL_S)
    changes: list[dict[str, Any]] = list(found.get("Changes", ()))
    while token := found.get("NextToken"):
        found = client.describe_change_set(ChangeSetName=change_set, IncludePropertyValues=True, NextToken=token)
        changes += found.get("Changes", ())
    return changes


def _print(found: list[dict[str, Any]], name: str) -> None:
    if not found:
        complaints.print(f"stack {name} is what its template says: there is nothing to change")
        return
    for line in change_lines.lines(found):
        for text in change_lines.rendered(line):
            console.print(text)
    complaints.print(f"{counted(len(found), 'resource')} of stack {name} would change")
