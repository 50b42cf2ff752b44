"""Rows of a benchmark: a figure, its floor from the same run, their ratio; on the screen and as JSON."""

import json
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

console = Console(highlight=False, width=120)


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_is: str = ""

    @property
    def ratio(self) -> float | None:
        """Figure over floor."""
        return self.value / self.floor if self.floor else None


@dataclass
class Report:
    """All rows of a run."""

    rows: list[Row] = field(default_factory=list)

    def add(self, *rows: Row) -> None:
        """Keep and show rows."""
        for row in rows:
            self.rows.append(row)
            ratio = f"  = {row.ratio:.2f} × {row.floor:,.2f} ({row.floor_is})" if row.ratio is not None else ""
            console.print(f"  {row.what:<58} {row.value:>10,.2f} {row.unit}{ratio}")

    def print(self) -> None:
        """One table of everything."""
        table = Table(title="Benchmarks", title_justify="left")
        for title, right in (("What", 0), ("Value", 1), ("Unit", 0), ("Floor", 1), ("Ratio", 1), ("Floor is", 0)):
            table.add_column(title, justify="right" if right else "left")
        for row in self.rows:
            floor = f"{row.floor:,.2f}" if row.floor is not None else ""
            ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
            table.add_row(row.what, f"{row.value:,.2f}", row.unit, floor, ratio, row.floor_is)
        console.print(table)

    def write(self, folder: Path) -> Path:
        """The run as a JSON file in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
        machine = {"system": platform.platform(), "processor": platform.machine(), "python": platform.python_version()}
        rows = [{**asdict(row), "ratio": row.ratio} for row in self.rows]
        path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
        return path
