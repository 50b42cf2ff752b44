"""What the engine tests share: an observer that records, targets, and engines that are closed when a test ends."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import Clock, ManualClock
from mayfly.engine.api import Call, Failure, Outcome, Phase, Target
from mayfly.engine.engine import LocalEngine
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxFactory, SandboxSpec
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.process import ProcessFactory

from .forked import ForkedFactory

CODE = Path(__file__).parent / "code"


class Recorder:
    """An observer that keeps everything it is told, and lets a test wait for an event."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.began_at: dict[str, tuple[float, bool]] = {}
        self.phases: list[Phase] = []  # of the inits that were told of
        self._changed = asyncio.Event()

    def _add(self, *event: Any) -> None:
        self.events.append(event)
        self._changed.set()

    def began(self, target: Target, instance: str, at: float, *, restored: bool) -> None:
        """Noted apart: hardly any test is about it."""
        self.began_at[instance] = (at, restored)

    def initialized(
        self,
        target: Target,
        instance: str,
        took_ms: float,
        failure: Failure | None,
        *,
        restored: bool,
        phase: Phase = "init",
    ) -> None:
        self._add("initialized", instance, failure.kind if failure is not None else None, restored)
        self.phases.append(phase)

    def started(self, target: Target, instance: str, call: Call) -> None:
        self._add("started", instance, call.request_id)

    def output(self, target: Target, instance: str, call: Call | None, lines: list[tuple[float, str]]) -> None:
        for _, text in lines:
            self._add("output", instance, call.request_id if call else None, text)

    def finished(self, target: Target, call: Call, outcome: Outcome) -> None:
        self._add("finished", outcome.instance, call.request_id)

    def terminated(self, target: Target, instance: str, reason: str) -> None:
        self._add("terminated", instance, reason)

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == kind]

    def lines(self, request_id: str | None) -> list[str]:
        return [text for _, owner, text in self.of("output") if owner == request_id]

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds; it is looked at after every event."""
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture(params=["process", pytest.param("namespace", marks=pytest.mark.root)])
def level(request: pytest.FixtureRequest) -> str:
    """For tests of real sandboxes: once at each level that needs nothing of the system."""
    return str(request.param)


@pytest.fixture
async def real_factory(level: str, tmp_path: Path) -> AsyncIterator[SandboxFactory]:
    """The factory of that level, with this interpreter prepared."""
    made: SandboxFactory
    if level == "namespace":
        (tmp_path / "agent").mkdir()
        made = agent = AgentFactory.launch(tmp_path / "agent")
        await agent.attach()
    else:
        made = ProcessFactory()
    await made.prepare("python3.11", interpreters.current())
    yield made
    await made.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def factory() -> AsyncIterator[ForkedFactory]:
    factory = ForkedFactory()
    yield factory
    await factory.close()


MakeEngine = Callable[..., LocalEngine]


@pytest.fixture
async def make_engine(factory: ForkedFactory, recorder: Recorder, clock: ManualClock) -> AsyncIterator[MakeEngine]:
    """`make_engine(memory_mb=…, …)`: an engine on the test's sandboxes and clock."""
    made: list[LocalEngine] = []
    numbers = itertools.count(1)

    def make(**options: Any) -> LocalEngine:
        options.setdefault("memory_mb", 100_000)
        options.setdefault("new_id", lambda: f"i{next(numbers)}")
        observer = options.pop("observer", recorder)
        used: Clock = options.pop("clock", clock)
        made.append(LocalEngine(options.pop("factory", factory), observer, used, **options))
        return made[-1]

    yield make
    for engine in made:
        await engine.close(0)
        assert engine.snapshot() == ()
        books = engine._ledger
        assert (books.calls, books.held_mb, books.dying_mb, books.idle_mb) == (0, 0, 0, 0)


@pytest.fixture
async def engine(make_engine: MakeEngine) -> LocalEngine:
    return make_engine()


def target(
    handler: str,
    *,
    key: str | None = None,
    function: str | None = None,
    memory_mb: int = 128,
    timeout_s: float = 60.0,
    reserved: int | None = None,
    variables: Mapping[str, str] | None = None,
) -> Target:
    async def environment(instance: str) -> Mapping[str, str]:
        return {"INSTANCE": instance, **(variables or {})}

    return Target(
        key=key or handler,
        function=function or handler,
        sandbox=SandboxSpec("python3.11", CODE, memory_mb=memory_mb),
        handler=handler,
        timeout_s=timeout_s,
        environment=environment,
        reserved_concurrency=reserved,
    )


_requests = itertools.count(1)


def call(event: Any = None, request_id: str | None = None) -> Call:
    return Call(request_id or f"r{next(_requests)}", json.dumps(event).encode(), arn="arn:of:the:function")


def result(outcome: Outcome) -> Any:
    assert outcome.failure is None, outcome
    return json.loads(outcome.payload)


class Meeting:
    """Calls of `functions.meet` that are running at the same time, until the test lets them go."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._door = directory / "door"
        self._numbers = itertools.count()
        self._arrivals: list[Path] = []

    def call(self) -> Call:
        arrived = self._directory / f"arrived-{next(self._numbers)}"
        self._arrivals.append(arrived)
        return call({"arrived": str(arrived), "wait_for": str(self._door)})

    async def all_here(self) -> None:
        """Return when every call made so far runs its handler."""
        async with asyncio.timeout(60):
            while not all(path.exists() for path in self._arrivals):  # noqa: ASYNC110 - made by other processes
                await asyncio.sleep(0.002)

    def end(self) -> None:
        self._door.touch()


@pytest.fixture
def meeting(tmp_path: Path) -> Meeting:
    return Meeting(tmp_path)
