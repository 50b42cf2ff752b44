"""What was measured: on the screen, as JSON, and as a part of a page of documentation."""

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.peers.figures import MEASURES, Figure, Measure, Metric, Pair, figure
from benchmarks.peers.subject import OURS

BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
_NONE = "-"


@dataclass(frozen=True)
class Machine:
    """Where and when: loads are averages of one minute before and after the run."""

    when: str
    system: str
    cores: int
    python: str
    isolation: str
    command: str
    load_before: float
    load_after: float


@dataclass(frozen=True)
class Result:
    """One peer: its description as a mapping, and either its rounds or why there are none."""

    about: Mapping[str, Any]
    pairs: Mapping[Metric, list[Pair]]
    failure: str | None = None

    def figure(self, measure: Measure) -> Figure | None:
        """None where it has no notion of that."""
        pairs = self.pairs.get(measure.metric)
        return figure(measure, pairs) if pairs else None


@dataclass(frozen=True)
class Run:
    """Everything of one run."""

    machine: Machine
    rounds: int
    seconds: float
    results: tuple[Result, ...]


def machine(isolation: str, command: str, load_before: float) -> Machine:
    """This machine, now."""
    return Machine(
        when=time.strftime("%Y-%m-%d"),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cores=os.cpu_count() or 0,
        python=platform.python_version(),
        isolation=isolation,
        command=command,
        load_before=load_before,
        load_after=os.getloadavg()[0],
    )


def write(run: Run, folder: Path) -> Path:
    """The run as a JSON file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"peers-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(asdict(run), indent=2) + "\n")
    return path


def read(path: Path) -> Run:
    """A run that `write` wrote."""
    stored = json.loads(path.read_text())
    results = tuple(
        Result(
            about=result["about"],
            pairs={metric: [Pair(**pair) for pair in pairs] for metric, pairs in result["pairs"].items()},
            failure=result["failure"],
        )
        for result in stored["results"]
    )
    return Run(Machine(**stored["machine"]), stored["rounds"], stored["seconds"], results)


def show(run: Run, console: Console) -> None:
    """A line for each figure: the peer's, Mayfly's of the same rounds, and how many times better Mayfly is."""
    table = Table(title="Peers", title_justify="left")
    for title in ("Peer", "What", "Figure", "Mayfly", "Unit", "Mayfly ahead", "Over rounds"):
        table.add_column(title, justify="right" if title in ("Figure", "Mayfly", "Mayfly ahead") else "left")
    for result in run.results:
        name = str(result.about["title"])
        if result.failure is not None:
            table.add_row(name, escape(f"not all measured: {result.failure}"))
        for measure in MEASURES:
            if (found := result.figure(measure)) is not None:
                ahead, noise = f"{number(found.ahead)} ×", f"{number(found.least)} to {number(found.most)}"
                if found.rounds == 1:
                    noise = "once"
                table.add_row(name, measure.title, number(found.peer), number(found.mayfly), measure.unit, ahead, noise)
                name = ""
        table.add_section()
    console.print(table)


def markdown(run: Run) -> str:
    """The same as tables of a page: figures, and what each peer is."""
    about = run.machine
    lines = [
        f"`{about.command}`, {about.when}: {run.rounds} rounds with {run.seconds:g} s of each load. {about.system}, "
        f"{about.cores} cores, Python {about.python}, Mayfly's isolation `{about.isolation}`; load average "
        f"{about.load_before:.1f} before and {about.load_after:.1f} after.",
        "",
        _row("", *(f"{measure.title}, {measure.unit}" for measure in MEASURES)),
        "| --- |" + " ---: |" * len(MEASURES),
        _row("**Mayfly**, signed `Invoke`", *(_mayfly(run, measure) for measure in MEASURES)),
    ]
    lines += [
        _row(result.about["title"], *(_cell(result.figure(measure)) for measure in MEASURES)) for result in run.results
    ]
    lines += ["", *_verdicts(run), "", *_descriptions(run)]
    missing = [f"- {result.about['title']}: {result.failure}" for result in run.results if result.failure]
    if missing:
        lines += ["", "Not all measured:", "", *missing]
    return "\n".join(lines)


def put_into(page: str, part: str) -> str:
    """The page with the part between its markers; `ValueError` when it does not have both, once, in order."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in tail:
        raise ValueError(f"the page needs {BEGIN} and, after it, {END}, each once")
    return f"{head}{BEGIN}\n\n{part}\n\n{END}{tail}"


def number(value: float) -> str:
    """Two significant digits or more, without noise after them."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _mayfly(run: Run, measure: Measure) -> str:
    """Mayfly's own figure: of all rounds with all peers."""
    pairs = [pair for result in run.results for pair in result.pairs.get(measure.metric, [])]
    if not pairs:
        return _NONE
    found = sorted(pair.mayfly for pair in pairs)
    middle = number(figure(measure, pairs).mayfly)
    return middle if found[0] == found[-1] else f"{middle} ({number(found[0])} to {number(found[-1])})"


def _cell(found: Figure | None) -> str:
    if found is None:
        return _NONE
    ahead = f"{number(found.ahead)}×"
    if found.rounds > 1:
        ahead += f", {number(found.least)} to {number(found.most)}"
    return f"{number(found.peer)} ({ahead})" if found.ahead >= 1 else f"{number(found.peer)} (**{ahead}**)"


def _verdicts(run: Run) -> list[str]:
    """Where Mayfly is behind, and where the rounds do not agree on who is, in words."""
    behind: dict[str, list[str]] = {}
    undecided: dict[str, list[str]] = {}
    rows = 0
    for measure in MEASURES:
        for result in run.results:
            found = result.figure(measure)
            if found is None or result.about["name"] == OURS:
                continue
            rows += 1
            if found.least < 1 < found.most:
                undecided.setdefault(measure.title, []).append(result.about["title"])
            elif found.ahead < 1:
                behind.setdefault(measure.title, []).append(result.about["title"])
    count = sum(map(len, behind.values()))
    lines = [f"Mayfly is behind in every round in {count} of {rows} figures{':' if count else '.'}", ""]
    lines += [f"- {title}: {'; '.join(titles)}" for title, titles in behind.items()]
    if undecided:
        lines += ["", "Some rounds went one way and some the other:", ""]
        lines += [f"- {title}: {'; '.join(titles)}" for title, titles in undecided.items()]
    return lines


def _descriptions(run: Run) -> list[str]:
    titles = ("", "Packages", "Served by", "A cold start is", "An instance is", "Isolates", "Signatures, logs, meters")
    lines = [_row(*titles), "| --- |" * 1 + " --- |" * (len(titles) - 1)]
    for result in run.results:
        about = result.about
        packages = ", ".join(requirement.replace("==", " ") for requirement in about["requires"]) or _NONE
        checks = ", ".join((about["signatures"], about["logs"], about["meters"]))
        lines.append(
            _row(about["title"], packages, about["serves"], about["cold"], about["instance"], about["isolates"], checks)
        )
    return lines


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
