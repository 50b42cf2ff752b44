"""Any sequence of changes, publications and deletions, compared with a model that keeps everything."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mayfly.clock import ManualClock
from mayfly.services.contract import ServiceError
from mayfly.services.functions import MIGRATED
from mayfly.store.sqlite import SqliteStore
from tests.services.functions.stage import Stage

T = TypeVar("T")
NAMES = st.sampled_from(["blue", "green"])
NUMBERS = st.integers(1, 6).map(str)


class Publishing(RuleBasedStateMachine):
    """One function on a real store; the model is a dict of versions and one of aliases."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.stage = self.run(self.opened(Path(self.directory.name)))
        self.timeout = 3
        self.last = 0
        self.versions: dict[str, int] = {}
        self.aliases: dict[str, str] = {}

    async def opened(self, data: Path) -> Stage:
        clock = ManualClock()
        stage = Stage(
            data,
            await SqliteStore.open(
                data / "db", [*MIGRATED, "mayfly.images", "mayfly.services.queues", "mayfly.ticker"], clock
            ),
            clock,
        )
        await stage.start()
        await stage.create()
        return stage

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def call(self, operation: str, **params: Any) -> Any:
        return self.run(self.stage.call(operation, FunctionName="f", **params))

    @rule(timeout=st.integers(3, 6))
    def change(self, timeout: int) -> None:
        self.call("UpdateFunctionConfiguration", Timeout=timeout)
        self.timeout = timeout

    @rule()
    def publish(self) -> None:
        shown = self.call("PublishVersion")
        if self.versions.get(str(self.last)) != self.timeout:
            self.last += 1
            self.versions[str(self.last)] = self.timeout
        assert (shown["Version"], shown["Timeout"]) == (str(self.last), self.timeout)

    @rule(number=NUMBERS)
    def delete(self, number: str) -> None:
        try:
            self.call("DeleteFunction", Qualifier=number)
        except ServiceError as error:
            assert error.code == "ResourceConflictException"  # noqa: PT017 - either answer is one
            assert number in self.aliases.values()
        else:
            assert number not in self.aliases.values()
            self.versions.pop(number, None)

    @rule(name=NAMES, number=NUMBERS)
    def point(self, name: str, number: str) -> None:
        operation = "UpdateAlias" if name in self.aliases else "CreateAlias"
        try:
            self.call(operation, Name=name, FunctionVersion=number)
        except ServiceError as error:
            assert error.code == "ResourceNotFoundException"  # noqa: PT017 - either answer is one
            assert number not in self.versions
        else:
            assert number in self.versions
            self.aliases[name] = number

    @rule(name=NAMES)
    def unname(self, name: str) -> None:
        self.call("DeleteAlias", Name=name)
        self.aliases.pop(name, None)

    @invariant()
    def versions_are_as_they_were_published(self) -> None:
        shown = self.call("ListVersionsByFunction")["Versions"][1:]
        assert {each["Version"]: each["Timeout"] for each in shown} == self.versions

    @invariant()
    def aliases_run_what_they_lead_to(self) -> None:
        for name, number in self.aliases.items():
            assert self.call("Invoke", Qualifier=name)["ExecutedVersion"] == number
            assert self.stage.engine.calls[-1][0].timeout_s == self.versions[number]

    def teardown(self) -> None:
        self.run(self.stage.stop(0))
        self.run(self.stage.store.close())
        self.runner.close()
        self.directory.cleanup()


TestPublishing = Publishing.TestCase
TestPublishing.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
