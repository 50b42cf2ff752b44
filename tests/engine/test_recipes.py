"""Templates that are known from before a restart: waited for where that pays, and learnt anew where they fail."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from mayfly.clock import ManualClock
from mayfly.engine import templates
from mayfly.engine.api import Import, Start, Target
from mayfly.engine.recipes import MOST_RECIPES, Recipe, Recipes
from mayfly.engine.reporter import Reporter
from mayfly.engine.spares import Spares
from mayfly.engine.templates import Templates
from mayfly.policy import templates as policy
from mayfly.sandbox.api import Prepared, SandboxSpec, SandboxStartError, TemplateRefusedError

from .conftest import Recorder, target
from .scripted import Scripted, ScriptedFactory

TARGET = target("app.handler", key="key", variables={"SAME": "same"})
KNOWN = Recipe("key", ("library", "library.part"), saved_ms=400.0, made_ms=450.0)


class Gated(ScriptedFactory):
    """A factory whose templates are ready when a test says so."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.asked: list[str | None] = []
        self.made: list[tuple[str, ...]] = []
        self.environments: list[Mapping[str, str]] = []
        self.refuses = False
        self._time = clock

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        self.made.append(tuple(modules))
        self.environments.append(environment)
        await self.gate.wait()
        self._time.advance(0.45)
        if self.refuses:
            raise TemplateRefusedError("a thread is alive: pump")
        return Prepared(len(modules), 100.0)

    async def start(self, spec: SandboxSpec) -> Scripted:
        self.asked.append(spec.template)
        raise SandboxStartError("nothing is started here")


class Scene:
    def __init__(self, clock: ManualClock, recorder: Recorder) -> None:
        self.factory = Gated(clock)
        loop = asyncio.get_running_loop()

        def spares(make: Callable[[Target], Awaitable[Scripted]]) -> Spares:
            return Spares(make, lambda target: 0, loop, clock, 0)

        self.templates = Templates(
            *(self.factory, Reporter(recorder), lambda: "t", None, clock, 1e9),
            spares,  # type: ignore[arg-type] # its sandboxes are scripted
        )
        self.recipes = self.templates.recipes

    async def start(self) -> None:
        with pytest.raises(SandboxStartError):
            await self.templates.start(TARGET)

    async def learn(self, own_us: int) -> None:
        """A first start from the interpreter, and what follows it."""
        await self.start()
        imports = (Import("library", "/library.py", own_us, own_us),)
        self.templates.learned(TARGET, Start("interpreter", 1.0, 1.0, 0.0, 500.0, imports), {})
        await self.settled()

    async def settled(self) -> None:
        task = self.templates._states["key"].task
        assert task is not None
        await asyncio.wait([task])


@pytest.fixture
async def scene(clock: ManualClock, recorder: Recorder) -> Scene:
    return Scene(clock, recorder)


async def test_of_a_burst_after_a_restart_all_but_the_first_wait_for_one_template(
    scene: Scene, recorder: Recorder
) -> None:
    scene.recipes.recall([KNOWN])
    burst = [asyncio.create_task(scene.start()) for _ in range(5)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert (scene.factory.made, scene.factory.asked) == ([KNOWN.modules], [None])
    assert scene.factory.environments == [{"INSTANCE": "t", "SAME": "same"}]
    scene.factory.gate.set()
    await asyncio.gather(*burst)
    assert scene.factory.asked == [None] + ["key"] * 4
    assert recorder.of("terminated") == [("t", "its template was made")]


async def test_a_recalled_template_that_is_refused_is_learnt_anew(scene: Scene) -> None:
    scene.recipes.recall([KNOWN])
    scene.factory.refuses = True
    scene.factory.gate.set()
    await scene.start()
    await scene.settled()
    assert scene.factory.asked == [None]
    assert scene.templates.view("key") is None
    assert scene.recipes.told().gone == ["key"]
    scene.factory.refuses = False
    await scene.learn(400_000)
    assert scene.factory.made == [KNOWN.modules, ("library",)]
    assert [one.modules for one in scene.recipes.told().kept] == [("library",)]
    await scene.start()
    assert scene.factory.asked == [None, None, "key"]


async def test_calls_do_not_wait_longer_than_an_init_may_take(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "LONGEST_WAIT_S", 0.0)
    scene.recipes.recall([KNOWN])
    await scene.start()
    await scene.start()
    assert scene.factory.asked == [None, None]
    assert not scene.recipes.told().gone
    scene.factory.gate.set()
    await scene.settled()


@pytest.mark.parametrize(("imports_us", "kept"), [(400_000, True), (20_000, False)])
async def test_what_is_told_is_how_templates_were_made_that_are_worth_waiting_for(
    scene: Scene, imports_us: int, kept: bool
) -> None:
    scene.factory.gate.set()
    await scene.learn(imports_us)
    told = scene.recipes.told()
    shown = [one._replace(made_ms=round(one.made_ms)) for one in told.kept]
    assert shown == ([Recipe("key", ("library",), imports_us / 1000, 450)] if kept else [])
    assert told.gone == []


async def test_a_template_that_is_used_is_told_of_again(scene: Scene) -> None:
    scene.factory.gate.set()
    await scene.learn(400_000)
    assert len(scene.recipes.told().kept) == 1
    assert scene.recipes.told() == ([], [])
    await scene.start()
    assert len(scene.recipes.told().kept) == 1


async def test_a_version_that_is_gone_is_told_and_one_that_ends_with_the_server_is_not(scene: Scene) -> None:
    scene.recipes.recall([KNOWN, KNOWN._replace(key="other")])
    scene.templates.retire("key")
    assert scene.recipes.told().gone == ["key"]
    await scene.templates.close()
    scene.templates.retire("other")
    assert scene.recipes.told().gone == []


def test_only_so_many_are_recalled() -> None:
    recipes = Recipes()
    recipes.recall(KNOWN._replace(key=str(number)) for number in range(MOST_RECIPES + 1))
    assert recipes.get(str(MOST_RECIPES - 1)) is not None
    assert recipes.get(str(MOST_RECIPES)) is None


def test_waiting_pays_where_the_making_is_little_more_than_the_imports() -> None:
    assert policy.pays(saved_ms=450, made_ms=480)
    assert policy.pays(saved_ms=450, made_ms=300)
    assert not policy.pays(saved_ms=10, made_ms=40)
