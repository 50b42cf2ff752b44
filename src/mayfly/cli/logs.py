"""`mayfly logs`: what a function wrote, and what it goes on writing."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from mayfly.cli.connection import connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import console, escape, fail, failures_in_one_line, readable
from mayfly.cli.spans import parse_span

FOLLOW_INTERVAL_S = 0.4
_OVERLAP_MS = 10_000
_PLATFORM = ("START ", "END ", "REPORT ", "INIT_START ", "INIT_REPORT ", "RESTORE_START ", "RESTORE_REPORT ")


def logs(
    function: Annotated[str, typer.Argument(help="Name of the function, or of a log group if it has a slash.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is written.")] = False,
    since: Annotated[str, typer.Option(help="How far back to begin: 30s, 10m, 2h, 7d, 1w.")] = "1h",
    pattern: Annotated[str, typer.Option("--filter", help="CloudWatch Logs filter pattern.")] = "",
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Print what a function wrote, oldest first."""
    try:
        start_ms = int((time.time() - parse_span(since)) * 1000)
    except ValueError as error:
        fail(str(error))
    with failures_in_one_line():
        connection = connect(data)
        group, name = _place(connection.client("lambda"), function)
        client = connection.client("logs")
        try:
            events = _follow(client, group, start_ms, pattern) if follow else _events(client, group, start_ms, pattern)
            for event in events:
                if name is None or event["logStreamName"].rpartition("/")[2].startswith(f"{name}["):
                    _print_event(event, json_output)
        except client.exceptions.ResourceNotFoundException:
            fail(f"there is no log group {group}: either there is no such function, or it has not run yet")
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def _place(functions: Any, function: str) -> tuple[str, str | None]:
    """The log group that is meant, and the function that it is looked through for where others may share it."""
    if "/" in function:
        return function, None
    usual = f"/aws/lambda/{function}"
    try:
        configuration = functions.get_function_configuration(FunctionName=function)
    except functions.exceptions.ResourceNotFoundException:  # its log outlives it
        return usual, None
    group = configuration["LoggingConfig"]["LogGroup"]
    return group, None if group == usual else configuration["FunctionName"]


def _events(client: Any, group: str, start_ms: int, pattern: str) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=start_ms, filterPattern=pattern
    )
    for page in pages:
        yield from page["events"]


def _follow(client: Any, group: str, start_ms: int, pattern: str) -> Iterator[dict[str, Any]]:
    tail = Tail(client, group, start_ms, pattern)
    while True:
        yield from tail.fresh()
        time.sleep(FOLLOW_INTERVAL_S)


class Tail:
    """Events of a log group as they come. Overlapping reads catch late ones; ids keep each from being told twice."""

    def __init__(self, client: Any, group: str, start_ms: int, pattern: str = "") -> None:
        self._client = client
        self._group = group
        self._pattern = pattern
        self._seen: dict[str, int] = {}
        self._start = self._newest = start_ms

    def fresh(self) -> Iterator[dict[str, Any]]:
        """Those that were not told yet; none of a group that is not there yet, for it comes with its first line."""
        since = max(self._start, self._newest - _OVERLAP_MS)
        with contextlib.suppress(self._client.exceptions.ResourceNotFoundException):
            for event in _events(self._client, self._group, since, self._pattern):
                if event["eventId"] not in self._seen:
                    self._seen[event["eventId"]] = event["timestamp"]
                    self._newest = max(self._newest, event["timestamp"])
                    yield event
        self._seen = {key: at for key, at in self._seen.items() if at >= self._newest - _OVERLAP_MS}


def _print_event(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    moment = datetime.fromtimestamp(event["timestamp"] / 1000).astimezone()
    stamp = moment.strftime("%H:%M:%S.") + f"{event['timestamp'] % 1000:03d}"
    text = escape(readable(event["message"]).replace("\n", "\n             "))
    quiet = event["message"].startswith(_PLATFORM)
    console.print(f"[cyan]{stamp}[/] {text}", style="dim" if quiet else None)
