"""`mayfly function`: how one function stands."""

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from mayfly.cli import function_settings
from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, console, fail, failures_in_one_line, print_json


def function(
    name: Annotated[str, typer.Argument(help="Name or ARN of the function.")],
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show how a function stands: its runtime, isolation, concurrency, instances, versions, templates and URLs."""
    if not name:
        fail("which function? its name is empty", 2)
    with failures_in_one_line(data):
        view = connect(data).get(f"/_mayfly/functions/{quote(name, safe='')}")
    if json_output:
        print_json(view)
        return
    for title, value in _facts(view):  # lines, not a table: a table would break paths and URLs in two
        console.print(f"[bold]{title:<12}[/] {escape(value)}")
    console.print()
    console.print(versions_table(view))
    for one in view["versions"]:
        if one["reason"]:
            console.print(f"{escape(one['version'])} is {escape(one['state'])}: {escape(one['reason'])}")
    for warning in view["warnings"]:
        complaints.print(f"[yellow]{escape(view['name'])}[/]: {escape(warning)}")


def versions_table(view: dict[str, Any]) -> Table:
    """What can run: $LATEST and every version, their instances, and what these start from."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Version", no_wrap=True)
    table.add_column("State", no_wrap=True)
    table.add_column("Instances")
    table.add_column("Template", overflow="fold")
    for one in view["versions"]:
        table.add_row(one["version"], one["state"], escape(_counts(one["instances"])), escape(_template(one)))
    return table


def _facts(view: dict[str, Any]) -> Iterator[tuple[str, str]]:
    interpreter = view["interpreter"]
    yield "Function", view["arn"]
    languages = {"nodejs": "Node.js", "java": "Java", "ruby": "Ruby"}
    language = next((name for start, name in languages.items() if view["runtime"].startswith(start)), "Python")
    runs = f"{language} {interpreter['version']}, {interpreter['path']}" if interpreter else "none on this machine"
    yield "Runtime", view["runtime"]
    if view["image"]:
        yield "Image", view["image"]["uri"]
        yield "", view["image"]["pinned"]
    else:
        yield "Interpreter", runs
    for number, layer in enumerate(view["layers"]):
        yield "" if number else "Layers", f"{layer['arn']}, {layer['size']} bytes"
    if developed := view["development"]:
        yield "Development", _development(developed)
    yield "Handler", f"{view['handler'] or 'what the image executes'}, at most {view['timeout_s']} s a call"
    yield "Memory", f"{view['memory_mb']} MB, /tmp {view['ephemeral_mb']} MB"
    yield from function_settings.lines(view["settings"])
    yield "Isolation", view["isolation"]["level"]
    if refused := view["isolation"]["refused"]:
        yield "", refused
    for layer in view["isolation"]["layers"]:
        yield "", f"{layer['layer']}: {layer['detail']}"
    yield from _egress(view["egress"])
    if refused := view["refused_calls"]:
        calls = ", ".join(f"{one['call']} ({one['count']})" for one in refused)
        yield "Refused", f"system calls: {calls} since the server started"
    yield "Concurrency", _concurrency(view["concurrency"])
    if several := _calls_at_a_time(view["versions"]):
        yield "", several
    for one in view["concurrency"]["provisioned"]:
        reason = f": {one['reason']}" if one["reason"] else ""
        yield "", f"{one['qualifier']}: {one['available']} of {one['wanted']} provisioned, {one['status']}{reason}"
    for one in view["concurrency"]["scaling"]:
        yield "", f"{one['version']}: {_scaling(one)}"
    waiting = f"; {view['waiting']} calls wait" if view["waiting"] else ""
    yield "Instances", _counts(view["instances"]) + waiting
    yield "Starts", f"{_counts(view['starts']['counts'])} since the server started"
    if calls := _calls(view["calls"]):
        yield "Calls", f"{calls} since the server started"
    for one in view["aliases"]:
        shared = "".join(f", {weight:.0%} to {version}" for version, weight in one["weights"].items())
        yield "Alias", f"{one['name']} -> {one['version']}{shared}"
    for one in view["urls"]:
        of = f" ({one['qualifier']})" if one["qualifier"] else ""
        yield "URL", f"{one['url']}{of}, auth {one['auth']}"


def _development(developed: dict[str, Any]) -> str:
    """Why $LATEST does not run what is deployed."""
    if developed["debugged"]:
        return "$LATEST is being debugged (`mayfly debug`), in one instance without time limit"
    swaps = "one change" if developed["swaps"] == 1 else f"{developed['swaps']} changes"
    return f"$LATEST runs {swaps} of `mayfly dev`, not what is deployed"


def _egress(egress: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What it may reach, what it did, and what was in vain."""
    yield "Egress", egress["allowed"]
    if egress["refused"]:
        yield "", egress["refused"]
    if egress["connections"]:
        sent, received = egress["sent_bytes"], egress["received_bytes"]
        yield (
            "",
            f"{egress['connections']} connections, {sent} bytes sent, {received} received since the server started",
        )
    for one in egress["refused_destinations"]:
        yield "", f"refused: {one['destination']} ({one['count']}), {one['reason']}"


def _concurrency(concurrency: dict[str, Any]) -> str:
    if concurrency["reserved"] is not None:
        return f"{concurrency['reserved']} reserved"
    return f"shares the account's {concurrency['account']}"


def _calls_at_a_time(versions: list[dict[str, Any]]) -> str:
    """Of those whose instances may run several."""
    several = [f"{one['version']}: {one['calls_at_a_time']}" for one in versions if one["calls_at_a_time"] > 1]
    return f"calls at a time in an instance, at most: {', '.join(several)}" if several else ""


def _scaling(one: dict[str, Any]) -> str:
    kept = [f"{one['available']} of at least {one['least']} ready"] if one["least"] else []
    return ", ".join(kept + ([f"at most {one['most']} instances"] if one["most"] is not None else [])) or "unbounded"


def _calls(calls: dict[str, Any]) -> str:
    """What is worth a word."""
    words = []
    if calls["provisioned"] or calls["spilled_over"]:
        words.append(f"{calls['provisioned']} on provisioned instances, {calls['spilled_over']} beyond them")
    if calls["waited"]:
        words.append(f"{calls['waited']} waited for memory or processors, {calls['waited_ms'] / 1000:.1f} s in all")
    if calls["refused"]:
        words.append(f"refused: {_counts(calls['refused'])}")
    return "; ".join(words)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"


def _template(version: dict[str, Any]) -> str:
    template = version["template"]
    if template["state"] == "none":
        return "function, by the next start" if version["snap_start"] else "none: not needed so far"
    reason = f": {template['reason']}" if template["reason"] else ""
    return f"{template['kind']} {template['state']}{reason}"
