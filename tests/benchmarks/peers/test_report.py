"""Reports: a run survives its file, and its tables go where a page wants them."""

import io
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.peers import report
from benchmarks.peers.figures import Pair
from benchmarks.peers.mayfly import FunctionUrl
from benchmarks.peers.python_servers import Uvicorn
from benchmarks.peers.report import BEGIN, END, Machine, Result, Run
from benchmarks.peers.workers import Workerd

MACHINE = Machine("2026-01-02", "Linux 6 x86_64", 4, "3.11.7", "namespace", "python -m benchmarks.peers", 0.5, 1.25)
AHEAD = Result(asdict(Uvicorn.about), {"cold hello": [Pair(100.0, 10.0), Pair(90.0, 10.0), Pair(400.0, 20.0)]})
BEHIND = Result(asdict(Workerd.about), {"throughput at 16": [Pair(8000.0, 4000.0)]})
ABSENT = Result(asdict(Workerd.about), {}, "not installed: workerd")


def run_of(*results: Result) -> Run:
    return Run(MACHINE, rounds=3, seconds=2.0, results=results)


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = run_of(AHEAD, BEHIND, ABSENT)
    stored = report.read(report.write(run, tmp_path / "results"))
    assert stored.machine == run.machine
    assert [result.pairs for result in stored.results] == [result.pairs for result in run.results]
    assert [result.failure for result in stored.results] == [None, None, "not installed: workerd"]
    assert report.markdown(stored) == report.markdown(run)


def test_a_cell_says_figure_and_how_far_ahead_mayfly_was_with_the_range_over_rounds() -> None:
    assert "| 100 (10.0×, 9.00 to 20.0) |" in row(report.markdown(run_of(AHEAD)), "| bare uvicorn")


def test_where_mayfly_loses_is_bold_and_what_a_peer_has_no_notion_of_is_left_out() -> None:
    cells = row(report.markdown(run_of(BEHIND)), "| workerd").split("|")[1:-1]
    assert [cell.strip() for cell in cells] == ["workerd", "-", "-", "-", "8,000 (**0.50×**)", "-", "-", "-"]


def test_mayflys_own_row_has_the_median_and_the_range_of_all_its_rounds() -> None:
    assert "| 10.0 (10.0 to 20.0) |" in row(report.markdown(run_of(AHEAD, BEHIND)), "| **Mayfly**")


def test_the_page_names_machine_command_and_load() -> None:
    first = report.markdown(run_of(AHEAD)).splitlines()[0]
    for part in ("python -m benchmarks.peers", "2026-01-02", "4 cores", "namespace", "0.5 before", "1.2 after"):
        assert part in first


def test_a_peer_that_could_not_be_measured_is_listed_with_its_reason() -> None:
    assert "- workerd: not installed: workerd" in report.markdown(run_of(ABSENT)).splitlines()


def test_a_page_lists_where_mayfly_is_behind_and_where_rounds_disagree() -> None:
    mixed = Result(asdict(Uvicorn.about), {"throughput at 16": [Pair(10.0, 9.0), Pair(10.0, 11.0)]})
    lines = report.markdown(run_of(AHEAD, BEHIND, mixed)).splitlines()
    at = lines.index("Mayfly is behind in every round in 1 of 3 figures:")
    assert lines[at + 2] == "- throughput at 16: workerd"
    assert lines[at + 4 : at + 7] == [
        "Some rounds went one way and some the other:",
        "",
        "- throughput at 16: bare uvicorn (the ceiling)",
    ]


def test_a_run_that_mayfly_won_says_so_and_its_own_second_way_in_is_no_peer() -> None:
    ours = Result(asdict(FunctionUrl.about), {"throughput at 16": [Pair(8000.0, 4000.0)]})
    assert "Mayfly is behind in every round in 0 of 1 figures." in report.markdown(run_of(AHEAD, ours)).splitlines()


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    blocks = report.markdown(run_of(AHEAD, BEHIND, ABSENT)).split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert len(tables) == 2
    assert all(len({line.count("|") for line in table}) == 1 for table in tables)


def test_the_screen_shows_failures_and_figures() -> None:
    out = io.StringIO()
    report.show(run_of(AHEAD, ABSENT), Console(file=out, width=200))
    assert "not installed: workerd" in out.getvalue()
    assert "9.00 to 20.0" in out.getvalue()


def test_the_part_between_the_markers_is_replaced_and_nothing_else() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert report.put_into(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_writing_the_same_twice_changes_nothing() -> None:
    once = report.put_into(f"a {BEGIN}{END} b", "new")
    assert report.put_into(once, "new") == once


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"])
def test_a_page_without_one_pair_of_markers_is_left_alone(page: str) -> None:
    with pytest.raises(ValueError, match="needs"):
        report.put_into(page, "new")


@given(st.floats(min_value=0.01, max_value=1e7))
def test_a_number_is_shown_to_within_half_a_percent_or_a_hundredth(value: float) -> None:
    shown = float(report.number(value).replace(",", ""))
    assert abs(shown - value) <= max(value * 0.005, 0.0051)
