"""What is made of the statuses and the words that a runtime leaves."""

import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox.oci import endings, stage

SIGNALS = st.sampled_from([signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT, signal.SIGTERM])


@given(st.integers(0, 255))
def test_a_status_is_what_was_exited_with(code: int) -> None:
    assert endings.ending_of(code << 8, own_kernel=False) == ("exited", code)


@given(st.sampled_from([True, False]), SIGNALS)
def test_a_signal_is_told_as_one(own_kernel: bool, number: signal.Signals) -> None:
    assert endings.ending_of(int(number), own_kernel=own_kernel) == ("signaled", number)


@given(SIGNALS)
def test_a_kernel_in_user_space_tells_signals_as_a_shell_does(number: signal.Signals) -> None:
    assert endings.ending_of((128 + number) << 8, own_kernel=True) == ("signaled", number)


@given(st.integers(0, 128) | st.integers(193, 255))
def test_other_statuses_of_it_are_those_of_the_function(code: int) -> None:
    assert endings.ending_of(code << 8, own_kernel=True) == ("exited", code)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ('{"msg":"no such file","level":"error"}\n{"msg":"no such file"}\n', "status 1): no such file"),
        ("plain words\nand more\n", "status 1): plain words; and more"),
        ("", "status 1): it did not say why"),
        (None, "status 1): it did not say why"),
        ("[1]\n", "status 1): [1]"),
    ],
)
def test_a_runtimes_complaint_is_read_from_its_log(tmp_path: Path, log: str | None, words: str) -> None:
    Path(stage.state_of(str(tmp_path))).mkdir()
    if log is not None:
        Path(stage.log_file(str(tmp_path))).write_text(log)
    assert endings.complaint(str(tmp_path), 1 << 8) == f"the OCI runtime failed ({words}"


@pytest.mark.parametrize(("text", "pid"), [("42", 42), ("", 0), ("x", 0), (None, 0)])
def test_the_first_process_is_the_one_that_the_runtime_wrote_down(tmp_path: Path, text: str | None, pid: int) -> None:
    Path(stage.state_of(str(tmp_path))).mkdir()
    if text is not None:
        Path(stage.process_file(str(tmp_path))).write_text(text)
    assert endings.process_of(str(tmp_path)) == pid
