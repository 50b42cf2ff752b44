"""A function that is ready shows what it has lost since: here its runtime; levels are in `test_levels`."""

from typing import cast

import msgspec
import pytest

from mayfly.services.functions.fitness import Fitness, Unfit
from mayfly.services.functions.levels import FunctionLevels
from mayfly.services.functions.model import Code, Configuration, Function
from mayfly.services.functions.runtimes import RuntimeAbsent, RuntimeChoice


class AnyLevel:
    async def check(self, tags: dict[str, str]) -> None:
        return None


FUNCTION = Function(
    name="f",
    configuration=Configuration("nodejs22.x", "index.handler", "arn:role"),
    code=Code("0" * 64, 1, 1),
    revision_id="r",
    deployment_id="d",
    modified_at=0.0,
)
GONE = "nodejs22.x cannot be had on this machine: install it."


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (FUNCTION, Unfit("InvalidRuntime", GONE)),
        (msgspec.structs.replace(FUNCTION, state="Pending"), None),
        (
            msgspec.structs.replace(
                FUNCTION, configuration=msgspec.structs.replace(FUNCTION.configuration, package="Image")
            ),
            None,
        ),
    ],
    ids=["active", "pending", "image"],
)
async def test_a_runtime_that_is_gone(function: Function, expected: Unfit | None) -> None:
    levels = cast(FunctionLevels, AnyLevel())
    assert await Fitness(levels, lambda _: RuntimeAbsent("install it")).of(function, function) == expected
    assert await Fitness(levels, lambda _: RuntimeChoice("nodejs22")).of(function, function) is None
