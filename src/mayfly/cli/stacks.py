"""`mayfly stacks`: the applications that there are, and what one of them consists of."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError
from rich.table import Table

from mayfly.cli import near
from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, console, escape, fail, failures_in_one_line, print_json, print_table

GONE = "DELETE_COMPLETE"


def stacks(
    name: Annotated[str | None, typer.Argument(metavar="[STACK]", help="One stack, with its resources.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted, too.")] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """List the stacks that there are; or show one: its state, its outputs and its resources."""
    with failures_in_one_line():
        client = connect(data).client("cloudformation")
        if name is None:
            found = [one for one in _summaries(client) if deleted or one["StackStatus"] != GONE]
        else:
            stack = described(client, name)
            resources = list(resources_of(client, stack["StackId"]))
    if name is not None:
        _show(stack, resources, json_output)
    elif json_output:
        print_json(found)
    elif found:
        print_table(_list(found))
    else:
        complaints.print("there are no stacks; `mayfly deploy` makes one of a template, `mayfly init` a template")


def described(client: Any, name: str) -> dict[str, Any]:
    """A stack, as DescribeStacks shows it; the command ends where there is none of that name. botocore's errors."""
    try:
        stack: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in error.response["Error"]["Message"]:
            raise
        there = (one["StackName"] for one in _summaries(client) if one["StackStatus"] != GONE)
        fail(f"there is no stack {name}{near.hint(name, there)}")
    return stack


def resources_of(client: Any, stack: str) -> Iterator[dict[str, Any]]:
    """The resources of a stack, by its name or id; those of nested stacks are theirs."""
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
        yield from page["StackResourceSummaries"]


def _summaries(client: Any) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("list_stacks").paginate():
        yield from page["StackSummaries"]


def _list(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Stack", "Status", "Changed", "Description"):
        table.add_column(title)
    for one in found:
        changed = one.get("DeletionTime") or one.get("LastUpdatedTime") or one["CreationTime"]

        table.add_row(
            escape(one["StackName"]),
            status_text(one["StackStatus"]),
            ago(changed, datetime.now(UTC)),
            escape(one.get("TemplateDescription", "")),
        )
    return table


def _show(stack: dict[str, Any], resources: list[dict[str, Any]], json_output: bool) -> None:
    if json_output:
        print_json({**stack, "Resources": resources})
        return
    facts = Table.grid(padding=(0, 2))
    rows = [
        ("Stack", escape(stack["StackName"])),
        ("Status", status_text(stack["StackStatus"])),
        ("Reason", escape(stack.get("StackStatusReason", ""))),
        ("Description", escape(stack.get("Description", ""))),
        ("Part of", escape(stack.get("ParentId", ""))),
        ("Created", ago(stack["CreationTime"], datetime.now(UTC))),
        ("Changed", ago(stack["LastUpdatedTime"], datetime.now(UTC)) if "LastUpdatedTime" in stack else ""),
        ("Parameters", escape(", ".join(_pairs(stack.get("Parameters", []), "Parameter")))),
        ("Tags", escape(", ".join(f"{tag['Key']}={tag['Value']}" for tag in stack.get("Tags", [])))),
        ("Protected", "yes: it cannot be deleted" if stack.get("EnableTerminationProtection") else ""),
    ]
    for title, value in rows:
        if value:
            facts.add_row(f"[bold]{title}[/]", value)
    for output in stack.get("Outputs", []):
        facts.add_row(f"[bold]{escape(output['OutputKey'])}[/]", escape(output["OutputValue"]))
    print_table(facts)
    if not resources:
        return
    console.print()
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Resource", "Type", "Status", "Name"):
        table.add_column(title)
    for one in resources:
        status = status_text(one["ResourceStatus"])
        if one["ResourceStatus"].endswith("_FAILED") and one.get("ResourceStatusReason"):
            status += f": {escape(one['ResourceStatusReason'])}"
        table.add_row(
            escape(one["LogicalResourceId"]), one["ResourceType"], status, escape(one.get("PhysicalResourceId", ""))
        )
    print_table(table)


def _pairs(items: list[dict[str, Any]], word: str) -> Iterator[str]:
    for item in items:
        yield f"{item[f'{word}Key']}={item.get('ResolvedValue', item.get(f'{word}Value', ''))}"


def status_text(status: str) -> str:
    """A status for people, in the colour of how good it is."""
    words = status.replace("_", " ").lower()
    if "FAILED" in status or "ROLLBACK" in status:
        return f"[red]{words}[/]"
    return f"[green]{words}[/]" if status.endswith("_COMPLETE") else f"[yellow]{words}[/]"


def ago(then: datetime, now: datetime) -> str:
    """How long ago something was, in its largest unit."""
    seconds = max((now - then).total_seconds(), 0.0)
    for span, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= span:
            count = int(seconds // span)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
