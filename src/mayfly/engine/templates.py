"""Which targets have a shared template, and the making of one in the background.

After a first start from the interpreter the engine knows what the init imported; where that took long enough, a
template with the packages is made, and later starts use it. For targets with `snap_start`, the template runs all of
init, and is made when the target is prepared, or again when it was lost; instances wait for one that could be made
before. So do they for one with packages that is known from before a restart (`recipes`), where waiting pays. Whatever
goes wrong with a template, a start goes the slower path; the reason is kept, and shown.
"""

import asyncio
import dataclasses
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from mayfly.clock import Clock
from mayfly.engine.api import EndpointServer, Prepared, Start, Target, TemplateView
from mayfly.engine.recipes import Recipe, Recipes
from mayfly.engine.reporter import Reporter
from mayfly.engine.snapshot import Snapshots
from mayfly.engine.spares import Spares
from mayfly.errors import PlatformError
from mayfly.policy import templates as policy
from mayfly.sandbox.api import (
    Greeting,
    Origin,
    Sandbox,
    SandboxFactory,
    TemplateEndedError,
    TemplateLostError,
)

# The least valuable template goes beyond so many.
MOST_TEMPLATES = 64
# A call gets an instance without its template after so long: as long as an init may take.
LONGEST_WAIT_S = 10.0
DROPPED = "the memory for templates is worth more to others"

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*", re.ASCII)
_log = logging.getLogger(__name__)


class Started(NamedTuple):
    """A sandbox, and what it was started from."""

    sandbox: Sandbox
    origin: Origin | Literal["spare"]
    greeted: bool = False  # its runtime was told already what to load
    called: bool = False  # and has its first call


@dataclasses.dataclass(slots=True)
class _State:
    state: Literal["making", "ready", "refused", "lost", "dropped"] = "making"
    reason: str = ""
    losses: int = 0  # see `policy.losses`
    since: float = 0.0  # when it became what it is; monotonic seconds
    starts: policy.Starts | None = None
    saved_ms: float = 0.0
    memory_mb: float = 0.0  # when last looked at, which is whenever a template is made
    recipe: Recipe | None = None  # of a template with packages
    task: asyncio.Task[Prepared] | None = None


class Templates:
    """By the key that targets share. `Instance` starts through it, and tells it what it learned."""

    def __init__(
        self,
        factory: SandboxFactory,
        observer: Reporter,
        new_id: Callable[[], str],
        endpoints: EndpointServer | None,
        clock: Clock,
        budget_mb: float,
        spares: Callable[[Callable[[Target], Awaitable[Sandbox]]], Spares],
    ) -> None:
        """`observer` is told of the ends of templates that had an environment of their own; all templates together have
        `budget_mb`; `spares` makes what keeps spares, given what starts one for it."""
        self._factory = factory
        self._observer = observer
        self._new_id = new_id
        self._snapshots = Snapshots(factory, observer, new_id, endpoints, clock)
        self._clock = clock
        self._budget_mb = budget_mb
        self._states: dict[str, _State] = {}
        self.recipes = Recipes()
        self._spares = spares(lambda target: self._start(target, ahead=True))
        self._closed = False

    def spare(self, target: Target) -> Started | None:
        """A sandbox that waits, for a call that needs one, if there is any; the demand is noted in both cases."""
        spare = self._spares.take(target)
        return Started(spare, "spare") if spare is not None else None

    async def start(self, target: Target, words: Callable[[], Awaitable[bytes]] | None = None) -> Started:
        """A sandbox for `target`, by the fastest path beside a spare. Raises what `SandboxFactory.start` does.

        `words`: what its runtime is to hear first, as soon as that can be said; see `Greeting`.
        """
        greeting = Greeting(words) if words is not None else None
        made = await self._start(target, ahead=False, greeting=greeting)
        return Started(made, made.origin, greeted=greeting is not None and greeting.said)

    async def _start(self, target: Target, *, ahead: bool, greeting: Greeting | None = None) -> Sandbox:
        spec = dataclasses.replace(target.sandbox, ahead=ahead, greeting=greeting)
        if not ahead:
            await self._made_again(target)
        state = self._states.get(target.shared_key)
        if state is not None and state.state == "ready":
            self._note(state)
            self.recipes.used(target.shared_key)
            try:
                return await self._factory.start(dataclasses.replace(spec, template=target.shared_key))
            except TemplateLostError as error:
                self._lose(target, state, str(error))
                if greeting is not None:
                    greeting.said = False  # to nobody that lives
        return await self._factory.start(spec)

    def learned(self, target: Target, start: Start, environment: dict[str, str]) -> None:
        """An instance started: make a template if that is worth it and was not tried; else let there be spares."""
        if self._closed or start.path == "pool":
            return  # what waits for any function is spare enough
        if start.path == "process":
            self._spares.allow(target.shared_key)  # it cannot be forked, but it can wait
            return
        state = self._states.get(target.shared_key)
        if state is not None and state.state == "dropped":
            self._note(state)
        if start.path == "interpreter" and (state is None or self._may_retry(target.shared_key, state)):
            if target.snap_start:
                self._make(target, lambda: self._snapshots.make(target))
                return
            loaded = [policy.Loaded(one.module, one.own_us) for one in start.imports]
            if policy.worth_it(loaded, target.handler):
                modules = tuple(one.name for one in loaded if _MODULE.fullmatch(one.name))
                recipe = Recipe(target.shared_key, modules, policy.saved_us(loaded, target.handler) / 1000)
                self._make(target, lambda: self._with_packages(target, recipe, environment), recipe)
                return
        if state is None or state.state != "making":
            self._spares.allow(target.shared_key)

    async def prepare(self, target: Target) -> Prepared:
        """See `Engine.prepare`."""
        state = self._states.get(target.shared_key)
        if state is not None and state.state == "ready":
            return Prepared(optimized=True)
        if state is None or state.task is None or state.task.done():
            state = self._make(target, lambda: self._snapshots.make(target))
        assert state.task is not None
        return await asyncio.shield(state.task)

    def retire(self, key: str) -> None:
        """The target gets no new instances."""
        state = self._states.pop(key, None)
        self._forget(key)
        self._spares.drop(key)
        if state is not None:
            if state.task is not None:
                state.task.cancel()
            self._factory.drop_template(key)

    def view(self, key: str) -> TemplateView | None:
        """How it stands with a target; None when no template was thought of."""
        state = self._states.get(key)
        return TemplateView(state.state, state.reason) if state is not None else None

    def spares(self, key: str) -> int:
        """How many spares of a target wait."""
        return self._spares.count(key)

    async def close(self) -> None:
        """Make no template and no spare any more; the templates there are belong to the factory."""
        self._closed = True
        await self._spares.close()
        tasks = [state.task for state in self._states.values() if state.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Making.

    async def _made_again(self, target: Target) -> None:
        """Wait for the template that a version was published with, or that is known to be worth it, after a restart of
        the server for instance.

        Running init, or importing, takes as long for one instance; each of a burst would do it by itself, and slow down
        the others. Where it is about packages, the start that has the template made goes without, beside it: it would
        gain nothing.
        """
        recipe = self.recipes.get(target.shared_key) if not target.snap_start else None
        if not target.optimized and recipe is None:
            return
        state = self._states.get(target.shared_key)
        if not self._closed and (state is None or self._may_retry(target.shared_key, state)):
            if recipe is not None:
                self._make(target, lambda: self._as_before(target, recipe), recipe)
                return
            state = self._make(target, lambda: self._snapshots.make(target))
        if state is not None and state.state == "making" and state.task is not None:
            await asyncio.wait([state.task], timeout=LONGEST_WAIT_S)

    def _make(self, target: Target, making: Callable[[], Awaitable[Prepared]], recipe: Recipe | None = None) -> _State:
        before = self._states.get(target.shared_key, _State())
        starts = before.starts or policy.started(None, self._clock.monotonic())
        state = self._states[target.shared_key] = _State(losses=before.losses, starts=starts, recipe=recipe)
        self._spares.hold(target.shared_key)
        state.task = asyncio.create_task(self._settle(target, state, making), name=f"template {target.shared_key}")
        return state

    async def _settle(self, target: Target, state: _State, making: Callable[[], Awaitable[Prepared]]) -> Prepared:
        began_at = self._clock.monotonic()
        failed: Literal["refused", "lost"] = "refused"
        try:
            prepared = await making()
        except TemplateEndedError as error:
            prepared, failed = Prepared(optimized=False, reason=str(error)), "lost"
            state.losses += 1
        except PlatformError as error:
            prepared = Prepared(optimized=False, reason=str(error))
        except Exception as error:
            _log.exception("the making of a template of %s failed", target.function)
            prepared = Prepared(optimized=False, reason=f"the platform failed: {error}")
        state.state, state.reason = ("ready", "") if prepared.optimized else (failed, prepared.reason)
        # What it took to make is what each start is spared, nearly; and the server's own measure, not the function's.
        state.since = self._clock.monotonic()
        state.saved_ms = (state.since - began_at) * 1000
        if not prepared.optimized:
            _log.info("%s has no template: %s", target.function, prepared.reason)
        self._remember(state)
        self._spares.allow(target.shared_key)
        self._make_room()
        return prepared

    def _remember(self, state: _State) -> None:
        """The making of a template has ended: keep how it was made, or learn it anew if that did not help."""
        recipe = state.recipe
        if recipe is None:
            return
        if state.state == "ready":
            self.recipes.made(recipe._replace(made_ms=state.saved_ms))
            return
        self._forget(recipe.key)
        if recipe.made_ms and self._states.get(recipe.key) is state:
            del self._states[recipe.key]

    def _forget(self, key: str) -> None:
        """Whatever ends when the server does, is not gone."""
        if not self._closed:
            self.recipes.forget(key)

    async def _as_before(self, target: Target, recipe: Recipe) -> Prepared:
        """With packages, by what is known from before a restart."""
        template = self._new_id()
        try:
            environment = dict(await target.environment(template))
            return await self._with_packages(target, recipe, environment)
        finally:
            self._observer.terminated(target, template, "its template was made")

    async def _with_packages(self, target: Target, recipe: Recipe, environment: dict[str, str]) -> Prepared:
        shared = {name: value for name, value in environment.items() if name not in target.per_instance}
        await self._factory.prepare_packages(target.shared_key, target.sandbox, recipe.modules, shared)
        return Prepared(optimized=True)

    def _lose(self, target: Target, state: _State, reason: str) -> None:
        """A start found it gone. The first of several that do says so; by the others' time there may be another one."""
        if state.state != "ready":
            return
        _log.warning("the template of %s was lost: %s", target.function, reason)
        self._factory.drop_template(target.shared_key)
        self._forget(target.shared_key)
        self._spares.hold(target.shared_key)
        state.state, state.reason = "lost", reason
        now = self._clock.monotonic()
        state.losses, state.since = policy.losses(state.losses, now - state.since), now

    def _may_retry(self, key: str, state: _State) -> bool:
        if state.state == "dropped":
            others = [one for one in self._held() if one.key != key]
            mine = self._as_held(key, state)
            return policy.readmits(mine, others, self._budget_mb, MOST_TEMPLATES, self._clock.monotonic())
        return state.state == "lost" and policy.tries_again(state.losses, self._clock.monotonic() - state.since)

    # Memory.

    def _note(self, state: _State) -> None:
        """An instance starts for which the template is there, or would be of use."""
        state.starts = policy.started(state.starts, self._clock.monotonic())

    def _held(self) -> list[policy.Held]:
        """The templates that there are, with what they used when last looked at."""
        return [self._as_held(key, state) for key, state in self._states.items() if state.state == "ready"]

    def _as_held(self, key: str, state: _State) -> policy.Held:
        assert state.starts is not None, "it was made"
        return policy.Held(key, state.memory_mb, state.saved_ms, state.starts)

    def _make_room(self) -> None:
        """Drop the templates that are worth the least; one of a function that starts often enough is made again."""
        for key, state in self._states.items():
            if state.state == "ready":
                state.memory_mb = self._factory.template_bytes(key) / (1 << 20)
        for key in policy.surplus(self._held(), self._budget_mb, MOST_TEMPLATES, self._clock.monotonic()):
            self._factory.drop_template(key)
            self._forget(key)
            self._spares.drop(key)
            self._states[key].state, self._states[key].reason = "dropped", DROPPED
