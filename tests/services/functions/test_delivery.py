"""What follows an attempt at an asynchronous invocation."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from mayfly.services.functions import delivery
from mayfly.services.functions.delivery import AsyncEvent, Attempted, Done, TryAgain
from mayfly.services.functions.model import AsyncSettings
from mayfly.services.functions.recorder import TAIL_BYTES, Watch
from mayfly.services.functions.results import Result

SETTINGS = st.none() | st.builds(
    AsyncSettings,
    modified_at=st.just(0.0),
    max_retries=st.none() | st.integers(0, 2),
    max_age_s=st.none() | st.integers(60, 21_600),
)
FAILED = Result(b'{"errorType": "E"}', failed=True)


def event(failures: int = 0) -> AsyncEvent:
    return AsyncEvent("r", "f", "arn", b"{}", accepted_at=1000.0, failures=failures)


@given(SETTINGS, st.floats(0, 30_000))
def test_an_event_that_always_fails_ends_after_at_most_three_attempts(
    settings: AsyncSettings | None, wait_s: float
) -> None:
    attempts, now, current = 0, 1000.0, event()
    while delivery.before(current, settings, None, now) is None:
        attempts += 1
        decided = delivery.after(current, current.failures, settings, FAILED, now)
        if isinstance(decided, Done):
            assert decided.condition in ("RetriesExhausted", "EventAgeExceeded")
            break
        current = event(current.failures + 1)
        now += decided.delay_s + wait_s
    retries = 2 if settings is None or settings.max_retries is None else settings.max_retries
    assert 1 <= attempts <= 1 + retries


@given(SETTINGS, st.integers(1, 100), st.floats(0, 50_000), st.floats(0, 1))
def test_a_throttled_event_is_tried_again_until_it_is_too_old(
    settings: AsyncSettings | None, attempt: int, age_s: float, jitter: float
) -> None:
    decided = delivery.after_throttle(event(), settings, attempt, 1000.0 + age_s, jitter)
    most_s = 21_600 if settings is None or settings.max_age_s is None else settings.max_age_s
    if isinstance(decided, TryAgain):
        assert 0 <= decided.delay_s <= 300
        assert age_s < most_s
    else:
        assert decided == Done("EventAgeExceeded")


@given(st.binary(max_size=50), st.booleans())
@example(b"\x000", False)  # a digit in UTF-16
@example(b"\xef\xbb\xbf0", False)  # one after a byte order mark
def test_a_record_is_json_whatever_the_function_returned(payload: bytes, failed: bool) -> None:
    text = delivery.record(event(), "arn", "Success", Attempted(Result(payload, failed), "7"), 1, 0.0)
    assert json.loads(text)["requestPayload"] == {}


def test_a_record_holds_a_reply_nested_beyond_reason_as_text() -> None:
    text = delivery.record(event(), "arn", "Success", Attempted(Result(b"[" * 100_000, failed=False), "7"), 1, 0.0)
    assert json.loads(text)["responsePayload"] == "[" * 100_000


@given(st.lists(st.lists(st.text(max_size=3000), max_size=5), max_size=10))
def test_a_tail_is_the_end_of_everything_printed(batches: list[list[str]]) -> None:
    watch = Watch({}, "id")
    for lines in batches:
        watch.add(lines)
    whole = b"".join(line.encode("utf-8", "replace") for lines in batches for line in lines)
    assert watch.tail() == whole[-TAIL_BYTES:]
