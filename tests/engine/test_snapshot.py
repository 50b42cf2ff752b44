"""The log of an init that is run ahead, whatever becomes of it."""

import socket
from collections.abc import Callable, Mapping

import pytest

from mayfly.clock import ManualClock
from mayfly.engine.reporter import Reporter
from mayfly.engine.snapshot import Snapshots
from mayfly.sandbox.api import (
    Prepared,
    SandboxSpec,
    TemplateEndedError,
    TemplateInitError,
    TemplateRefusedError,
    TemplateTimeoutError,
)

from .conftest import Recorder, target
from .scripted import ScriptedFactory


class Ending(ScriptedFactory):
    """A factory whose templates end as a test says, after two seconds."""

    def __init__(self, clock: ManualClock, end: Prepared | TemplateRefusedError) -> None:
        super().__init__()
        self._time = clock
        self._end = end

    async def prepare_function(
        self,
        key: str,
        spec: SandboxSpec,
        handler: str,
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], Callable[[], None]] | None,
    ) -> Prepared:
        self._time.advance(2.0)
        if isinstance(self._end, TemplateRefusedError):
            raise self._end
        return self._end


@pytest.mark.parametrize(
    ("end", "printed", "failure"),
    [
        (Prepared(1, 1.0, "one\ntwo"), ["one", "two"], None),
        (TemplateRefusedError("a thread is alive", printed="one\n"), ["one"], None),
        (TemplateInitError(b"{}", "one\n"), ["one"], "init-raised"),
        (TemplateTimeoutError(130.0), [], "init-timeout"),
        (TemplateEndedError("no answer came", printed=""), [], "exited"),
    ],
)
async def test_an_init_that_ran_is_logged_with_what_it_printed_and_its_end(
    clock: ManualClock, recorder: Recorder, end: Prepared | TemplateRefusedError, printed: list[str], failure: str
) -> None:
    began_at = clock.now()
    await make(clock, recorder, end)
    assert recorder.began_at == {"t": (began_at, False)}
    assert [event for event in recorder.events if event[0] != "output"] == [
        ("initialized", "t", failure, False),
        ("terminated", "t", "its template was made"),
    ]
    assert recorder.lines(None) == printed


@pytest.mark.parametrize("why", [TemplateRefusedError("no templates here"), TemplateEndedError("the nest ended")])
async def test_where_nothing_of_the_function_ran_there_is_no_log(
    clock: ManualClock, recorder: Recorder, why: TemplateRefusedError
) -> None:
    await make(clock, recorder, why)
    assert recorder.began_at == {}
    assert recorder.events == [("terminated", "t", "its template was made")]


async def make(clock: ManualClock, recorder: Recorder, end: Prepared | TemplateRefusedError) -> None:
    snapshots = Snapshots(Ending(clock, end), Reporter(recorder), lambda: "t", None, clock)
    try:
        made = await snapshots.make(target("app.handler"))
    except TemplateEndedError:
        assert isinstance(end, TemplateEndedError)  # whoever asked may try again
    else:
        assert made.optimized is isinstance(end, Prepared)
