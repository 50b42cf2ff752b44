"""Reading the data set's form, and naming what is wrong with a file."""

from pathlib import Path

import pytest

from mayfly.simulator.dataset import DURATIONS, INVOCATIONS, MEMORY, TraceError, read
from mayfly.simulator.trace import Stretch

HEADER = "HashOwner,HashApp,HashFunction,Trigger,1,2,3,4\n"


@pytest.fixture
def write(tmp_path: Path) -> "Writer":
    return Writer(tmp_path)


class Writer:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, kind: str, text: str, day: int = 1) -> Path:
        file = self.path / f"{kind}.anon.d{day:02d}.csv"
        file.write_text(text, encoding="utf-8")
        return file


def test_functions_are_read_with_their_memory_and_duration(write: Writer) -> None:
    write(INVOCATIONS, f"{HEADER}o,a,f,http,0,2,1,0\no,a,g,timer,1,0,0,1\no,a,never,http,0,0,0,0\n")
    write(MEMORY, "HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a,10,300\n")
    write(DURATIONS, "HashOwner,HashApp,HashFunction,Average,Count,Minimum\no,a,f,25.5,3,1\n")
    trace = read(write.path)
    assert trace.days == 1
    assert [(unit.name, unit.stretches) for unit in trace.units] == [
        ("o/a/f", (Stretch(1, 3, 3),)),
        ("o/a/g", (Stretch(0, 1, 1), Stretch(3, 4, 1))),
    ]
    assert [(unit.memory_mb, unit.duration_ms) for unit in trace.units] == [(300, 25.5), (300, 1000)]
    assert trace.work_gb_hours == pytest.approx((3 * 0.0255 + 2 * 1.0) * 300 / 1024 / 3600)


def test_an_application_is_called_when_one_of_its_functions_is(write: Writer) -> None:
    write(INVOCATIONS, f"{HEADER}o,a,f,http,0,2,1,0\no,b,f,http,1,0,0,0\no,a,g,timer,1,0,0,1\n")
    write(DURATIONS, "HashOwner,HashApp,HashFunction,Average,Count\no,a,f,10,3\no,a,g,50,1\n")
    units = read(write.path, "app").units
    assert [(unit.name, unit.stretches) for unit in units] == [
        ("o/a", (Stretch(0, 4, 5),)),
        ("o/b", (Stretch(0, 1, 1),)),
    ]
    assert [unit.duration_ms for unit in units] == [20, 1000]


def test_days_are_joined_at_midnight_and_their_averages_weighed(write: Writer) -> None:
    header = "HashOwner,HashApp,HashFunction,Trigger," + ",".join(str(minute) for minute in range(1, 1441))
    write(INVOCATIONS, f"{header}\no,a,f,http,{'0,' * 1439}4\n", day=3)
    write(INVOCATIONS, f"{header}\no,a,f,http,2,{'0,' * 1438}1\n", day=4)
    for day, samples, megabytes in ((3, 1, 100), (4, 3, 200)):
        write(MEMORY, f"HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a,{samples},{megabytes}\n", day)
    trace = read(write.path)
    assert trace.days == 2
    assert trace.units[0].stretches == (Stretch(1439, 1441, 6), Stretch(2879, 2880, 1))
    assert trace.units[0].memory_mb == 175


def test_one_file_is_a_trace(write: Writer) -> None:
    assert len(read(write(INVOCATIONS, f"{HEADER}o,a,f,http,0,2,1,0\n")).units) == 1


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", None, "it is empty"),
        ("a,b,c\n", 1, "the header must be HashOwner,HashApp,HashFunction,Trigger,1,2"),
        ("HashOwner,HashApp,HashFunction,Trigger,1,3\n", 1, "the header must be"),
        (f"{HEADER}o,a,f,http,0,2,1,0\no,a,g,http,0,2\n", 3, "it has 6 fields, its header 8"),
        (f"{HEADER}o,a,f,http,0,two,1,0\n", 2, "calls in minute 2 must be a number from 0 to 10^9, not 'two'"),
        (f"{HEADER}o,a,f,http,0,2,-1,0\n", 2, "calls in minute 3 must be a number from 0 to 10^9, not '-1'"),
        (f"{HEADER}o,a,f,http,0,2,1,\n", 2, "calls in minute 4 must be a number from 0 to 10^9, not ''"),
        (f"{HEADER}o,a,f,http,0,2,1,{'9' * 5000}\n", 2, "calls in minute 4 must be"),
        (f"{HEADER}o,a,f,http,0,2,1,99999999999\n", 2, "calls in minute 4 must be"),
        (f"{HEADER}o,a,f,http,0,2,1,0\n\no,a,f,http,0,2,1,0\n", 4, "function f was listed before"),
    ],
)
def test_a_malformed_line_is_named(write: Writer, text: str, line: int | None, what: str) -> None:
    file = write(INVOCATIONS, text)
    with pytest.raises(TraceError) as raised:
        read(write.path)
    assert str(raised.value).startswith(f"{file}{f', line {line}' if line else ''}: {what}")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("o,a,ten,300", "must be numbers"),
        ("o,a,10,-300", "must be 0 or more"),
        ("o,a,10,nan", "must be 0 or more"),
        ("o,a,10", "it has 3 fields, its header 4"),
    ],
)
def test_a_malformed_line_of_the_memory_is_named(write: Writer, row: str, what: str) -> None:
    write(INVOCATIONS, f"{HEADER}o,a,f,http,0,2,1,0\n")
    file = write(MEMORY, f"HashOwner,HashApp,SampleCount,AverageAllocatedMb\n{row}\n")
    with pytest.raises(TraceError, match=what) as raised:
        read(write.path)
    assert str(raised.value).startswith(f"{file}, line 2: ")


def test_what_is_no_text_is_named(write: Writer) -> None:
    file = write.path / f"{INVOCATIONS}.anon.d01.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match=r"line 1: .*utf-8"):
        read(write.path)


def test_a_missing_day_and_missing_files_are_named(write: Writer, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="there is no file named"):
        read(tmp_path)
    with pytest.raises(TraceError, match="no such file"):
        read(tmp_path / "nowhere")
    for day in (1, 3):
        write(INVOCATIONS, HEADER, day)
    with pytest.raises(TraceError, match="day d02 is missing between d01 and d03"):
        read(tmp_path)


def test_a_day_in_which_nobody_called_has_no_units(write: Writer) -> None:
    write(INVOCATIONS, HEADER)
    assert read(write.path).units == ()
