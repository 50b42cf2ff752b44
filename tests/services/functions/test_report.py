"""The figures and lines that the platform writes about a call."""

import pytest

from mayfly.engine.api import Outcome, Start, StartPath
from mayfly.services.functions import report

_MIB = 1 << 20


def outcome(start: Start | None, init_ms: float | None) -> Outcome:
    return Outcome(b"1", None, "i", True, 19.81, init_ms, 0.0, 143 * _MIB, start)


def test_a_cold_start_shows_and_bills_its_init() -> None:
    start = Start("packages", sandbox_ms=4.0, runtime_ms=1.0, restore_ms=1.0, init_ms=30.0, imports=())
    took = report.figures(outcome(start, 31.5), 3.0, 1024)
    assert (took.init_ms, took.restore_ms, took.billed_ms) == (31.5, None, 52)
    assert "Init Duration: 31.50 ms\t" in report.report("r", took, 1024, None)


@pytest.mark.parametrize("path", ["function", "spare"])
def test_a_restored_instance_shows_its_restore_and_bills_its_hooks(path: StartPath) -> None:
    start = Start(path, 4.5, runtime_ms=1.0, restore_ms=2.0, init_ms=111.25, imports=(), restored=True)
    took = report.figures(outcome(start, 114.25), 3.0, 1024)
    assert (took.init_ms, took.restore_ms, took.billed_restore_ms, took.billed_ms) == (None, 118.75, 112, 132)
    assert report.report("r", took, 1024, None) == (
        "REPORT RequestId: r\tDuration: 19.81 ms\tBilled Duration: 132 ms\tMemory Size: 1024 MB\t"
        "Max Memory Used: 143 MB\tRestore Duration: 118.75 ms\tBilled Restore Duration: 112 ms\t\n"
    )


def test_a_warm_call_shows_neither() -> None:
    line = report.report("r", report.figures(outcome(None, None), 3.0, 128), 128, None)
    assert "Init" not in line
    assert "Restore" not in line
    assert "Billed Duration: 20 ms" in line
