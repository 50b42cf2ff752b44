"""Which processes with modules loaded are kept for sandboxes, and when they go."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from mayfly.sandbox.api import Prepared, Sandbox, SandboxSpec, TemplateLostError, TemplateRefusedError
from mayfly.sandboxes.model import SandboxRefusedError
from mayfly.sandboxes.templates import MOST_TEMPLATES, Templates


class Factory:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.ready: list[str] = []
        self.made = 0
        self.started: list[SandboxSpec] = []
        self.loses = 0
        self.refuses = False

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        if self.refuses:
            raise TemplateRefusedError("it starts threads")
        self.made += 1
        self.ready.append(key)
        return Prepared(len(modules), 1.0)

    async def start(self, spec: SandboxSpec) -> Sandbox:
        if self.loses:
            self.loses -= 1
            raise TemplateLostError("it is gone")
        assert spec.template in self.ready
        self.started.append(spec)
        return cast(Sandbox, object())

    def drop_template(self, key: str) -> None:
        self.ready.remove(key)


class Packages:
    """Counts how often they are kept."""

    def __init__(self) -> None:
        self.kept = 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        self.kept += 1
        try:
            yield
        finally:
            self.kept -= 1


SPEC = SandboxSpec("python3.11", Path("/code"), memory_mb=100)


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
def templates(factory: Factory) -> Templates:
    return Templates(factory)


async def test_one_serves_all_sandboxes_that_are_alike(factory: Factory, templates: Templates) -> None:
    packages = Packages()
    for _ in range(3):
        await templates.start(SPEC, ("numpy",), {"A": "b"}, packages)
    assert (factory.made, len(factory.started), packages.kept) == (1, 3, 1)
    templates.close()
    assert (factory.ready, packages.kept) == ([], 0)


@pytest.mark.parametrize(
    ("spec", "modules", "environment"),
    [
        (SandboxSpec("python3.11", Path("/code"), memory_mb=200), ("numpy",), {}),
        (SandboxSpec("python3.11", Path("/other"), memory_mb=100), ("numpy",), {}),
        (SandboxSpec("python3.12", Path("/code"), memory_mb=100), ("numpy",), {}),
        (SPEC, ("numpy", "pandas"), {}),
        (SPEC, ("numpy",), {"A": "b"}),
    ],
)
async def test_what_is_made_differently_has_one_of_its_own(
    factory: Factory, templates: Templates, spec: SandboxSpec, modules: tuple[str, ...], environment: dict[str, str]
) -> None:
    await templates.start(SPEC, ("numpy",), {}, Packages())
    await templates.start(spec, modules, environment, Packages())
    assert factory.made == 2


async def test_those_used_least_lately_go(factory: Factory, templates: Templates) -> None:
    packages = Packages()
    for number in range(MOST_TEMPLATES):
        await templates.start(SPEC, (f"m{number}",), {}, packages)
    await templates.start(SPEC, ("m0",), {}, packages)
    first, second = factory.ready[:2]
    await templates.start(SPEC, ("another",), {}, packages)
    assert first in factory.ready
    assert second not in factory.ready
    assert packages.kept == MOST_TEMPLATES
    templates.reduce(100)
    assert (templates.memory_mb, len(factory.ready), packages.kept) == (100, 1, 1)
    templates.reduce(-5)
    assert (templates.memory_mb, factory.ready) == (0, [])


async def test_one_that_was_lost_is_made_again_once(factory: Factory, templates: Templates) -> None:
    factory.loses = 1
    await templates.start(SPEC, ("numpy",), {}, Packages())
    assert (factory.made, len(factory.started)) == (2, 1)
    factory.loses = 2
    with pytest.raises(SandboxRefusedError, match="it is gone"):
        await templates.start(SPEC, ("numpy",), {}, Packages())


async def test_a_refusal_says_why_and_keeps_nothing(factory: Factory, templates: Templates) -> None:
    factory.refuses, packages = True, Packages()
    with pytest.raises(SandboxRefusedError, match="cannot be loaded ahead: it starts threads"):
        await templates.start(SPEC, ("numpy",), {}, packages)
    assert (templates.memory_mb, packages.kept) == (0, 0)
