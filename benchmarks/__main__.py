"""`python -m benchmarks`: run the cases, print each beside its floor, write the run as JSON."""

import argparse
import os
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.platform import running
from benchmarks.report import Report, console

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=sorted(CASES), action="append", help="run this case; may be repeated")
    options = parser.parse_args()
    isolation = "namespace" if os.geteuid() == 0 else "process"
    report = Report()
    with running(isolation) as platform:
        console.print(f"Mayfly at {platform.url}, isolation {isolation}")
        for name in options.only or CASES:
            console.print(f"[bold]{name}[/]")
            CASES[name](platform, report)
    report.print()
    console.print(f"written to {report.write(RESULTS)}")


main()
