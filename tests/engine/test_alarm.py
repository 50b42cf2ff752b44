"""The alarm, on the loop that the server runs on."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from mayfly.engine.alarm import Alarm

_SILENCE_S = 0.05


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., int]:
    """Sets an alarm at all of some delays in turn, and says how often it went off until a while after the last."""

    def run(*delays_s: float) -> int:
        async def main() -> int:
            loop = asyncio.get_running_loop()
            went_off = 0

            def due() -> None:
                nonlocal went_off
                went_off += 1

            alarm, began, silence = Alarm(loop, due), loop.time(), loop.create_future()
            for delay_s in delays_s:
                alarm.by(began + delay_s)
            loop.call_at(began + max(0.0, delays_s[-1]) + _SILENCE_S, silence.set_result, None)
            await silence
            alarm.cancel()
            return went_off

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(main())

    return run


@pytest.mark.parametrize("delay_s", [-1.0, 0.0, 0.0001, 0.01])
def test_an_alarm_goes_off_once_however_near_it_is_and_whatever_later_time_is_asked_for(
    run: Callable[..., int], delay_s: float
) -> None:
    assert run(delay_s, _SILENCE_S / 2, delay_s) == 1


def test_an_earlier_time_moves_an_alarm_forward(run: Callable[..., int]) -> None:
    assert run(3600.0, 0.0) == 1
