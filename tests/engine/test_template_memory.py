"""Templates that have to share memory: those that save the least for it go, and come back when that has changed."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from mayfly.clock import ManualClock
from mayfly.engine import templates
from mayfly.engine.api import Import, Start, Target
from mayfly.engine.reporter import Reporter
from mayfly.engine.spares import Spares
from mayfly.engine.templates import Templates
from mayfly.sandbox.api import Prepared, SandboxSpec, SandboxStartError

from .conftest import Recorder, target
from .scripted import Scripted, ScriptedFactory

START = Start("interpreter", 1.0, 1.0, 0.0, 50.0, (Import("library", "/library.py", 50_000, 50_000),))


class Weighed(ScriptedFactory):
    """A factory whose templates take as long to make, and as much memory, as a test says."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.sizes_mb: dict[str, int] = {}
        self.takes_s: dict[str, float] = {}
        self.there: dict[str, None] = {}
        self.asked: list[str | None] = []
        self._time = clock

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        self._time.advance(self.takes_s.get(key, 0.1))
        self.there[key] = None
        return Prepared(len(modules), 100.0)

    def drop_template(self, key: str) -> None:
        self.there.pop(key, None)

    def template_bytes(self, key: str) -> int:
        return self.sizes_mb.get(key, 20) << 20 if key in self.there else 0

    async def start(self, spec: SandboxSpec) -> Scripted:
        self.asked.append(spec.template)
        raise SandboxStartError("nothing is started here")


class Scene:
    def __init__(self, clock: ManualClock, recorder: Recorder, budget_mb: float) -> None:
        self.factory = Weighed(clock)
        loop = asyncio.get_running_loop()
        self.templates = Templates(
            self.factory,
            Reporter(recorder),
            lambda: "t",
            None,
            clock,
            budget_mb,
            lambda make: Spares(make, lambda target: 0, loop, clock, 0),
        )

    async def start(self, key: str) -> str | None:
        """An instance starts; from which template."""
        made = of(key)
        with pytest.raises(SandboxStartError):
            await self.templates.start(made)
        used = self.factory.asked[-1]
        if used is None:
            self.templates.learned(made, START, {})
            task = self.templates._states[key].task
            assert task is not None
            await task
        return used

    def state(self, key: str) -> str:
        view = self.templates.view(key)
        assert view is not None
        return view.state


def of(key: str) -> Target:
    return target("app.handler", key=key)


async def test_all_that_fit_stay(clock: ManualClock, recorder: Recorder) -> None:
    scene = Scene(clock, recorder, budget_mb=40)
    assert [await scene.start(key) for key in ("a", "b", "a", "b")] == [None, None, "a", "b"]


async def test_the_one_that_saves_least_for_its_memory_goes_and_says_why(
    clock: ManualClock, recorder: Recorder
) -> None:
    scene = Scene(clock, recorder, budget_mb=50)
    scene.factory.takes_s = {"slow": 2.0}
    scene.factory.sizes_mb = {"large": 30}
    for key in ("slow", "large", "small"):
        await scene.start(key)
    assert list(scene.factory.there) == ["slow", "small"]
    view = scene.templates.view("large")
    assert view is not None
    assert (view.state, view.reason) == ("dropped", templates.DROPPED)


async def test_one_that_was_dropped_is_not_made_at_every_start_but_when_it_is_worth_more(
    clock: ManualClock, recorder: Recorder
) -> None:
    scene = Scene(clock, recorder, budget_mb=20)
    await scene.start("a")
    await scene.start("a")
    await scene.start("b")
    assert list(scene.factory.there) == ["a"]
    for _ in range(2):
        assert await scene.start("b") is None
    assert (scene.state("a"), scene.state("b")) == ("dropped", "ready")
    assert await scene.start("b") == "b"


async def test_one_that_is_too_large_by_itself_is_made_once(clock: ManualClock, recorder: Recorder) -> None:
    scene = Scene(clock, recorder, budget_mb=10)
    for _ in range(3):
        assert await scene.start("a") is None
    assert scene.state("a") == "dropped"
    assert scene.factory.there == {}


async def test_there_are_never_more_than_so_many(clock: ManualClock, recorder: Recorder) -> None:
    scene = Scene(clock, recorder, budget_mb=1e9)
    for number in range(templates.MOST_TEMPLATES + 3):
        await scene.start(f"k{number}")
        clock.advance(60)
    assert len(scene.factory.there) == templates.MOST_TEMPLATES
    assert "k0" not in scene.factory.there
