"""Each sandbox is made at the level that it asks for, or not at all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mayfly.app.levels import Levels, oci_factory
from mayfly.app.sandboxes import Interpreters
from mayfly.clock import SystemClock
from mayfly.egress.book import Book
from mayfly.egress.outlets import Outlets
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxFactory, SandboxSpec, SandboxUnavailableError, TemplateRefusedError
from mayfly.sandbox.choice import template_name
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.oci.runtimes import CONTAINER
from mayfly.sandbox.process import ProcessFactory
from mayfly.settings import EngineSettings, OciRuntime

from ..sandbox.conftest import runtime_of
from ..sandbox.talk import CODE, Talks

KNOWN = Interpreters([interpreters.current()], Path("/nowhere"))
RUNTIME = template_name(interpreters.current())


async def levels_over(own: SandboxFactory, home: Path, **settings: object) -> AsyncIterator[Levels]:
    levels = Levels(own, KNOWN, EngineSettings(**settings), home, Outlets(Book(SystemClock())))  # type: ignore[arg-type]  # whatever a test sets
    try:
        yield levels
    finally:
        await levels.close()


@pytest.mark.root
async def test_a_server_makes_sandboxes_of_several_levels_side_by_side(tmp_path: Path) -> None:
    runtime = runtime_of(CONTAINER)
    agent = AgentFactory.launch(tmp_path / "agent")
    await agent.attach()
    mine = OciRuntime("mine", Path(runtime.program))
    async for levels in levels_over(agent, tmp_path / "oci", oci_runtimes=(mine,)):
        talks = Talks(levels)
        plain, contained, configured = [
            await talks.ready(runtime=RUNTIME, level=level) for level in ("namespace", CONTAINER, "mine")
        ]
        assert [await talk.run("result = os.getpid()") for talk in (plain, contained, configured)] == [1, 1, 1]
        assert plain.sandbox.layers != contained.sandbox.layers == configured.sandbox.layers
        assert "user namespace with two unprivileged ids" in contained.sandbox.layers
        with pytest.raises(TemplateRefusedError, match="'container' has no templates"):
            await levels.prepare_packages("key", SandboxSpec(RUNTIME, CODE, level=CONTAINER), [], {})
        with pytest.raises(SandboxUnavailableError, match="knows no level 'strange'"):
            await talks.start(runtime=RUNTIME, level="strange")
        await talks.close()


async def test_a_server_that_isolates_nothing_gives_no_other_level(tmp_path: Path) -> None:
    async for levels in levels_over(ProcessFactory(), tmp_path):
        with pytest.raises(SandboxUnavailableError, match="does not give the level 'gvisor'"):
            await levels.start(SandboxSpec(RUNTIME, CODE, level="gvisor"))
        with pytest.raises(TemplateRefusedError, match="does not give"):
            await levels.prepare_function("key", SandboxSpec(RUNTIME, CODE, level="gvisor"), "lab.run", {}, None)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A runtime that only complains, for everybody to execute."""
    program = tmp_path / "broken"
    log = "while [ $# -gt 0 ]; do [ $1 = --log ] && echo it is broken > $2; shift; done"
    program.write_text(f"#!/bin/sh\n{log}\nexit 3\n")
    for path in (program, tmp_path):
        path.chmod(0o755)
    return program


@pytest.mark.root
async def test_a_runtime_that_does_not_work_is_unavailable_with_its_reason(tmp_path: Path, broken: Path) -> None:
    factory = oci_factory("mine", EngineSettings(oci_runtimes=(OciRuntime("mine", broken),)), tmp_path / "oci")
    with pytest.raises(SandboxUnavailableError, match=r"cannot give the level 'mine'.*status 3.: it is broken"):
        await factory.prepare(RUNTIME, interpreters.current())
    await factory.close()
