"""`mayfly simulate` as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def mayfly(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mayfly", "simulate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
    )


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "made"
    done = mayfly("--generate", "60", "--days", "2", "--seed", "5", "-o", path)
    assert done.returncode == 0, done.stderr
    assert "60 functions over 2 days" in done.stdout
    return path


def test_policies_are_compared_in_a_table_that_fits_a_terminal(trace: Path) -> None:
    done = mayfly(trace)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    table = done.stdout.splitlines()[:9]
    names = [line.split("  ")[0] for line in table]
    assert names[:6] == ["Policy", "fixed 10 min", "fixed 20 min", "fixed 60 min", "hybrid 4 h", "hazard 0.4"]
    assert names[6].endswith("*")
    assert names[7] == "foresight"
    assert max(map(len, table[:8])) <= 80
    assert "…" not in "".join(table[:8])


def test_a_trace_is_not_written_among_the_days_of_another(trace: Path) -> None:
    before = {path.name: path.read_bytes() for path in trace.iterdir()}
    done = mayfly("--generate", "3", "-o", trace)
    assert done.returncode == 1
    assert "there is a trace already" in done.stderr
    assert {path.name: path.read_bytes() for path in trace.iterdir()} == before


def test_json_has_the_same_figures_for_the_policies_asked_for(trace: Path) -> None:
    done = mayfly(trace, "--json", "--by", "app", "-p", "hybrid:1h", "-p", "fixed:0s")
    report = json.loads(done.stdout)
    assert report["by"] == "app"
    assert report["days"] == 2
    assert [one["policy"] for one in report["policies"]] == ["fixed 10 min", "hybrid 1 h", "fixed 0 min"]
    assert report["policies"][0]["idle_memory_percent"] == 100
    assert report["policies"][2]["cold_starts"] == report["policies"][2]["calls"] == report["calls"]
    assert report["policies"][2]["idle_gb_hours"] == 0
    assert report["price_at_equal_memory"] is None


def test_a_malformed_line_ends_it_with_one_line_that_names_it(trace: Path, tmp_path: Path) -> None:
    lines = next(trace.glob("invocations*d01.csv")).read_text(encoding="utf-8").splitlines()
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join([*lines[:3], lines[3].rpartition(",")[0] + ",many"]), encoding="utf-8")
    done = mayfly(broken)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"mayfly: {broken}, line 4: calls in minute 1440 must be a number")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "name a trace to replay, or make one"),
        (["nowhere"], "nowhere: there is no such file or directory"),
        (["nowhere", "-p", "lru"], "'lru' is not a policy"),
        (["nowhere", "--by", "owner"], "--by is function or app"),
        (["--generate", "10"], "--generate needs -o DIRECTORY"),
        (["--generate", "10", "-o", "/proc/here"], "/proc/here: "),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], complaint: str) -> None:
    done = mayfly(*arguments)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.stderr.startswith("mayfly: ")
    assert done.stderr.count("\n") == 1
