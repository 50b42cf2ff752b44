"""`mayfly simulate`: what a keep-alive policy would do to a workload, in virtual time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mayfly.cli.options import JsonOption
from mayfly.cli.output import complaints, console, counted, escape, fail, failures_in_one_line, print_json, print_table
from mayfly.simulator import dataset, generator, policies, simulation
from mayfly.simulator.report import Result
from mayfly.simulator.trace import Trace

BASELINE = "fixed:10m"
DEFAULT_POLICIES = ("fixed:20m", "fixed:1h", "hybrid", "hazard")
MATCHED = "*"


def simulate(
    trace: Annotated[
        Path | None,
        typer.Argument(help="Directory in the form of the Azure Functions 2019 data set, or one file of invocations."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", "-p", help=f"A policy to replay, repeatable: {policies.NAMES}.", show_default=False),
    ] = None,
    by: Annotated[str, typer.Option(help="What is warm or cold as one: function or app.")] = "function",
    start_ms: Annotated[float, typer.Option(min=1, max=900_000, help="What a cold start takes, for its cost.")] = 250.0,
    json_output: JsonOption = False,
    generate: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Write a synthetic trace of so many functions instead.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=14, help="With --generate: days of the trace.")] = 1,
    seed: Annotated[int, typer.Option(help="With --generate: the same seed makes the same trace.")] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --generate: the directory to write into.")
    ] = None,
) -> None:
    """Replay a trace of calls through keep-alive policies, or make one up.

    Shows for every policy how many calls start cold, how much memory is held idle in comparison
    with a fixed keep-alive of 10 minutes, and what idle memory and starts cost.

    [bold]mayfly simulate --generate 5000 --days 7 -o trace[/] writes one, [bold]mayfly simulate trace[/] replays it.
    """
    if generate is not None:
        if output is None or trace is not None:
            fail("--generate needs -o DIRECTORY, and no trace")
        _generate(output, generate, days, seed)
        return
    if trace is None:
        fail("name a trace to replay, or make one with --generate N -o DIRECTORY")
    if by not in ("function", "app"):
        fail(f"--by is function or app, not {by!r}")
    with failures_in_one_line():
        chosen = [policies.parse(name) for name in policy or DEFAULT_POLICIES]
        read, read_s = _timed(lambda: _read(trace, by))
        (results, price), replay_s = _timed(lambda: _replay(read, chosen, start_ms, compare=not policy))
    if json_output:
        print_json(_as_json(read, by, results, price))
        return
    print_table(_table(results))
    console.print(_explanation(read, by, results[0], price, read_s, replay_s))


def _generate(directory: Path, count: int, days: int, seed: int) -> None:
    if any(directory.glob("*.anon.d*.csv")):
        fail(f"{directory}: there is a trace already, whose days would mix with new ones; name another directory")
    try:
        with _progress("Writing functions") as (bar, task):
            bar.update(task, total=count)
            generator.write(directory, count, days, seed, lambda number: bar.update(task, completed=number))
    except OSError as error:
        fail(f"{directory}: {error.strerror}")
    console.print(
        f"{counted(count, 'function')} over {counted(days, 'day')} written to [bold]{escape(str(directory))}[/]."
    )
    console.print(f"Replay them with: mayfly simulate {escape(str(directory))}")


def _read(path: Path, by: str) -> Trace:
    try:
        with _progress("Reading") as (bar, task):

            def advance(file: Path, done: int, size: int) -> None:
                bar.update(task, description=f"Reading {file.name}", completed=done, total=size)

            return dataset.read(path, "app" if by == "app" else "function", advance)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def _replay(trace: Trace, chosen: list[Any], start_ms: float, compare: bool) -> tuple[list[Result], float | None]:
    """The baseline, then every policy; to compare, also Mayfly's policy and foresight at the baseline's memory."""
    baseline = policies.parse(BASELINE)
    rules = [baseline, *(rule for rule in chosen if rule != baseline)]
    price = None
    with _progress("Replaying") as (bar, task):
        searched = simulation.searched(trace) if compare else 0
        bar.update(task, total=len(trace.units) * (len(rules) + compare) + searched)
        results = []
        for rule in rules:
            bar.update(task, description=f"Replaying {rule.name}")
            results.append(simulation.run(rule, trace, start_ms, lambda more: bar.advance(task, more)))
        if compare and trace.units:
            bar.update(task, description="Replaying at equal memory")
            rule = simulation.matching(trace, baseline, advance=lambda more: bar.advance(task, more))
            price = rule.price
            result = simulation.run(rule, trace, start_ms, lambda more: bar.advance(task, more))
            results.append(result._replace(policy=f"{rule.name} {MATCHED}"))
            results.append(simulation.foresight(trace, results[0].idle_gb_hours, start_ms))
    return results, price


def _table(results: list[Result]) -> Table:
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    table.add_column("Policy", no_wrap=True)
    for title in ("p75", "Median", "Cold", "Prewarmed", "Idle time", "Memory", "USD"):
        table.add_column(title, justify="right", no_wrap=True)
    base = results[0]
    for one in results:
        table.add_row(
            escape(one.policy),
            f"{one.cold_percent_p75:.1f} %",
            f"{one.cold_percent_median:.1f} %",
            f"{one.cold_starts:,}",
            f"{one.prewarms:,}",
            f"{_percent(one.idle_hours, base.idle_hours):.0f} %",
            f"{_percent(one.idle_gb_hours, base.idle_gb_hours):.0f} %",
            f"{one.cost_usd:,.2f}",
        )
    return table


def _explanation(trace: Trace, by: str, base: Result, price: float | None, read_s: float, replay_s: float) -> str:
    lines = [
        f"{counted(base.units, by)}, {counted(base.calls, 'call')}, {counted(trace.days, 'day')}; read in "
        f"{read_s:.1f} s, replayed in {replay_s:.1f} s. Calls take {trace.work_gb_hours:,.1f} GB-h; "
        f"{base.policy} holds {base.idle_gb_hours:,.1f} GB-h idle.",
        f"p75, median: of the {by}s, each one's per cent of calls that started cold. Cold: such calls in total. "
        "Prewarmed: instances made ahead of a call.",
        "Idle time, memory: what is held without a call, in per cent of a fixed keep-alive of 10 minutes. USD: that "
        "memory and all starts at AWS Lambda's list prices.",
        "Assumed: one instance each, calls take no time and are spread evenly over their minutes, the first is cold.",
    ]
    if price is not None:
        lines.append(f"{MATCHED} The price was searched on this trace, so that the memory is that of the first line.")
    return "[dim]" + "\n".join(map(escape, lines)) + "[/]"


def _as_json(trace: Trace, by: str, results: list[Result], price: float | None) -> dict[str, Any]:
    base = results[0]
    return {
        "by": by,
        "days": trace.days,
        "units": len(trace.units),
        "calls": base.calls,
        "work_gb_hours": trace.work_gb_hours,
        "price_at_equal_memory": price,
        "policies": [
            {
                **one._asdict(),
                "cold_percent_of_calls": _percent(one.cold_starts, one.calls),
                "idle_time_percent": _percent(one.idle_hours, base.idle_hours),
                "idle_memory_percent": _percent(one.idle_gb_hours, base.idle_gb_hours),
            }
            for one in results
        ],
    }


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0


def _timed(do: Callable[[], Any]) -> tuple[Any, float]:
    started = time.monotonic()
    return do(), time.monotonic() - started


@contextmanager
def _progress(what: str) -> Iterator[tuple[Progress, Any]]:
    """A bar on standard error, gone when done; none where nobody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    quiet = not complaints.is_terminal
    with Progress(*columns, console=complaints, transient=True, disable=quiet) as bar:
        yield bar, bar.add_task(what, total=None)
