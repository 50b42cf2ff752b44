"""What follows a delivery that failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.events import attempts
from mayfly.services.events.attempts import Again, Failure, GiveUp

AGAIN = Failure("INTERNAL_ERROR", "m", retry=True)


def test_what_another_attempt_cannot_mend_is_given_up_at_once() -> None:
    final = Failure("NO_RESOURCE", "m", retry=False)
    assert attempts.after(final, 0, 0.0, None, None, 1.0) == GiveUp(None)


def test_attempts_end_after_185_retries_or_a_day_unless_the_target_says_less() -> None:
    assert isinstance(attempts.after(AGAIN, 184, 0.0, None, None, 1.0), Again)
    assert attempts.after(AGAIN, 185, 0.0, None, None, 1.0) == GiveUp("MaximumRetryAttempts")
    assert attempts.after(AGAIN, 0, 86_400.0, None, None, 1.0) == GiveUp("MaximumEventAgeInSeconds")
    assert attempts.after(AGAIN, 0, 0.0, 0, None, 1.0) == GiveUp("MaximumRetryAttempts")
    assert attempts.after(AGAIN, 0, 61.0, None, 60, 1.0) == GiveUp("MaximumEventAgeInSeconds")


def test_delays_double_and_185_of_them_last_about_a_day() -> None:
    delays = []
    for retries in range(185):
        decided = attempts.after(AGAIN, retries, 0.0, None, None, 1.0)
        assert isinstance(decided, Again)
        delays.append(decided.delay_s)
    assert delays[:4] == [1, 2, 4, 8]
    assert 0.9 * 86_400 < sum(delays) < 1.1 * 86_400


def test_an_endpoint_that_asks_for_patience_gets_it() -> None:
    patient = Failure("THROTTLING", "m", retry=True, after_s=120.0)
    assert attempts.after(patient, 0, 0.0, None, None, 1.0) == Again(120.0)


@given(
    st.integers(0, 200), st.floats(0, 200_000), st.none() | st.integers(0, 185), st.none() | st.integers(60, 86_400),
    st.floats(0, 1), st.none() | st.floats(0, 1e6),
)  # fmt: skip
def test_no_attempt_is_made_past_what_the_policy_allows(
    retries: int, age_s: float, most: int | None, max_age_s: int | None, jitter: float, after_s: float | None
) -> None:
    failure = Failure("X", "m", retry=True, after_s=after_s)
    decided = attempts.after(failure, retries, age_s, most, max_age_s, jitter)
    allowed, oldest = 185 if most is None else most, 86_400 if max_age_s is None else max_age_s
    if isinstance(decided, Again):
        assert retries < allowed
        assert 0 <= decided.delay_s <= oldest - age_s
    else:
        assert retries >= allowed or age_s >= oldest


@pytest.mark.parametrize(
    ("code", "expected", "retry"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", "NO_RESOURCE", False),
        ("ResourceNotFoundException", "NO_RESOURCE", False),
        ("AccessDeniedException", "NO_PERMISSIONS", False),
        ("ValidationException", "INVALID_PARAMETER", False),
        ("ThrottlingException", "THROTTLING", True),
        ("OverLimit", "THROTTLING", True),
        ("InternalError", "INTERNAL_ERROR", True),
    ],
)
def test_refusals_of_targets_are_said_in_the_words_of_dead_letters(code: str, expected: str, retry: bool) -> None:
    failure = attempts.failure_of(ServiceError(code, "m"))
    assert (failure.code, failure.retry) == (expected, retry)
