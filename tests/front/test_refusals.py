"""Errors that cross from the core to a front come out as what they were."""

from typing import Any

import pytest

from mayfly.engine.api import ThrottledError
from mayfly.errors import PlatformError
from mayfly.front import messages
from mayfly.front.calls import Calls
from mayfly.front.refusals import error_of, refusal
from mayfly.services.contract import ServiceError
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.invoker import restore_fault
from mayfly.services.functions.roles import RoleUnusableError


@pytest.mark.parametrize(
    "error",
    [
        ServiceError("ResourceNotFoundException", "Function not found", members={"Type": "User"}),
        ServiceError("TooManyRequestsException", "slow down", status=429, headers={"retry-after": "1"}),
        ThrottledError("function", 3, None),
        ThrottledError("account-rate", 1000, 0.25),
        RoleUnusableError("arn:aws:iam::000000000000:role/gone"),
        PlatformError("the disk is full"),
    ],
)
def test_an_error_comes_out_as_what_it_was(error: Exception) -> None:
    crossed = error_of(refusal(error))

    assert type(crossed) is type(error)
    assert str(crossed) == str(error)
    assert vars(crossed) == vars(error)


def test_what_nobody_foresaw_is_the_platforms_failure() -> None:
    crossed = error_of(refusal(KeyError("x")))

    assert type(crossed) is PlatformError


class _Runs:
    """A core in which every call ends as it was told."""

    def __init__(self, ran: messages.Ran) -> None:
        self._ran = ran

    async def ask(self, make: Any) -> Any:
        make(1)
        return self._ran


async def test_a_failure_to_restore_is_told_from_other_failures_of_the_core() -> None:
    core = _Runs(messages.Ran(1, b"{}", failed=True, failure="restore-timeout"))
    entry: Any = _Entry()

    ran = await Calls(None, core.ask).invoke(entry, Asked(b"", "r", "a", "request"))  # type: ignore[arg-type]

    assert restore_fault(ran.failure) is not None


class _Entry:
    """As much of an entry as a call that the core runs needs."""

    qualifier = None

    class target:  # noqa: N801 - stands for a value
        traced = False
        function = "f"

    class function:  # noqa: N801 - likewise
        name = "f"
