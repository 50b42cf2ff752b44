"""`python -m benchmarks.peers`: install the peers, measure each beside Mayfly, print one table, write JSON."""

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from benchmarks.peers import report
from benchmarks.peers.catalogue import peers
from benchmarks.peers.mayfly import Mayfly
from benchmarks.peers.processes import adopt_orphans, alone, at_most
from benchmarks.peers.report import Result, Run
from benchmarks.peers.rounds import Memory, Pairs, Plan, measure, memory
from benchmarks.peers.subject import OURS, Peer
from benchmarks.platform import running

ROOT = Path(__file__).parents[2]
HOMES = ROOT / ".cache" / "peers"
RESULTS = ROOT / "benchmarks" / "results"
console = Console(highlight=False, width=140)


def main() -> None:
    options = _options(sys.argv[1:])
    if options.list:
        for peer in peers(None):
            console.print(f"{peer.about.name:<28} {peer.missing() or ', '.join(peer.about.requires)}", markup=False)
        return
    if options.read:
        run = report.read(options.read)
    else:
        with alone():
            run = _run(options)
    report.show(run, console)
    if not options.read:
        console.print(f"written to {report.write(run, RESULTS)}")
    if options.write:
        options.write.write_text(report.put_into(options.write.read_text(), report.markdown(run)))
        console.print(f"table written into {options.write}")


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    names = [OURS, *(peer.about.name for peer in peers(None))]
    parser.add_argument("--only", choices=names, action="append", help="measure this peer; may be repeated")
    parser.add_argument("--list", action="store_true", help="show the peers, their packages and what is missing")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each peer and Mayfly in turns (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each warm load in a round (%(default)s)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds after which a peer is ended (%(default)s)")
    parser.add_argument("--up", default="", metavar="OPTIONS", help='more for `mayfly up`, as in --up="--workers 2"')
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between the markers of this page")
    parser.add_argument("--read", type=Path, metavar="JSON", help="measure nothing: show or write this earlier run")
    return parser.parse_args(words)


def _run(options: argparse.Namespace) -> Run:
    adopt_orphans()
    signal.signal(signal.SIGTERM, _stop)
    load_before = os.getloadavg()[0]
    isolation = "namespace" if os.geteuid() == 0 else "process"
    plan = Plan(options.rounds, options.seconds)
    with running(isolation, *shlex.split(options.up)) as platform:
        mayfly = Mayfly(platform)
        chosen = [peer for peer in peers(mayfly) if not options.only or peer.about.name in options.only]
        console.print("[bold]Mayfly[/], memory")
        of_mayfly = memory(mayfly, mayfly.memory_mb)
        results = tuple(_result(peer, mayfly, of_mayfly, plan, options.limit) for peer in chosen)
    command = shlex.join(["python", "-m", "benchmarks.peers", *_told(options)])
    return Run(report.machine(isolation, command, load_before), options.rounds, options.seconds, results)


def _told(options: argparse.Namespace) -> list[str]:
    """What a reader types for the same figures."""
    only = [word for name in options.only or () for word in ("--only", name)]
    up = [f"--up={options.up}"] if options.up else []
    return [*only, *up, "--rounds", str(options.rounds), "--seconds", f"{options.seconds:g}"]


def _result(peer: Peer, mayfly: Mayfly, of_mayfly: Memory, plan: Plan, limit_s: float) -> Result:
    """One peer; what goes wrong with it is told, and the others are measured all the same."""
    about, home = asdict(peer.about), HOMES / peer.about.name
    console.print(f"[bold]{peer.about.title}[/]")
    if (missing := peer.missing()) is not None:
        console.print(f"  {missing}")
        return Result(about, {}, missing)
    found: Pairs = {}
    began = time.monotonic()
    try:
        console.print(f"  packages in {home}")
        peer.install(home)
        (home / "server.log").unlink(missing_ok=True)
        with at_most(limit_s, peer.about.title):
            measure(found, peer, home, mayfly, of_mayfly, plan, lambda what: console.print(f"  {what}"))
    except Exception as error:
        console.print(f"  failed: {error!r}; see {home / 'server.log'}", markup=False)
        return Result(about, found, f"{type(error).__name__}: {str(error).splitlines()[0][:160]}")
    console.print(f"  took {time.monotonic() - began:.0f} s")
    return Result(about, found)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(143)


main()
