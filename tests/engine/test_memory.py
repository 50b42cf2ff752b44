"""The budget of memory when none is configured."""

from mayfly.engine.memory import budget_mb, default_budget_mb

GB = 1 << 30


def test_four_fifths_of_the_machine_are_for_instances() -> None:
    assert budget_mb(10 * GB, []) == 8192


def test_a_container_has_what_its_lowest_limit_leaves() -> None:
    assert budget_mb(10 * GB, [f"{5 * GB}\n", "max\n"]) == 4096


def test_no_limit_is_no_limit() -> None:
    assert budget_mb(10 * GB, ["max\n", "9223372036854771712\n"]) == 8192


def test_this_machine_has_some() -> None:
    assert default_budget_mb() > 0
