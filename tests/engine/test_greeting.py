"""A runtime that is told what to load while its sandbox is still being made: what it says early is neither lost nor
mistaken."""

import asyncio
import dataclasses
import os

import pytest
import uvloop

from mayfly.clock import SystemClock
from mayfly.engine.api import Target
from mayfly.engine.engine import LocalEngine
from mayfly.sandbox import frames
from mayfly.sandbox.api import SandboxSpec, SandboxStartError

from .conftest import Recorder, call, target
from .puppets import Puppet, Puppets, calm


class Greeters(Puppets):
    """Says the greeting at once, and that the sandbox is there when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.greeted = asyncio.Event()
        self.there = asyncio.Event()
        self.inits = 0
        self.fails: Exception | None = None

    async def start(self, spec: SandboxSpec) -> Puppet:
        puppet = await super().start(spec)
        try:
            assert spec.greeting is not None
            await asyncio.get_running_loop().sock_sendall(puppet.control, await spec.greeting.words())
            spec.greeting.said = True
            self.greeted.set()
            await self.there.wait()
            if self.fails is not None:
                raise self.fails
        except BaseException:
            await puppet.discard()
            puppet.control.close()
            os.close(puppet.output)
            raise
        return puppet

    def initializes(self, puppet: Puppet) -> None:
        self.inits += 1
        super().initializes(puppet)


class Ordered(Recorder):
    """Keeps the beginnings of instances among all else."""

    def began(self, target: Target, instance: str, at: float, *, restored: bool) -> None:
        self._add("began", instance)


class Scene:
    def __init__(self) -> None:
        self.puppets = Greeters()
        self.recorder = Ordered()
        self.engine = LocalEngine(
            self.puppets, self.recorder, SystemClock(), memory_mb=1024, new_id=iter(map(str, range(99))).__next__
        )
        self.puppets.on_call = self.puppets.answer

    async def greet(self, subject: Target) -> "asyncio.Task[bytes]":
        """A call of which the runtime has heard its INIT and nobody else that it is there."""

        async def invoke() -> bytes:
            outcome = await self.engine.invoke(subject, call(None, "r"))
            assert outcome.failure is None, outcome
            return outcome.payload

        running = asyncio.create_task(invoke())
        async with asyncio.timeout(10):
            await self.puppets.greeted.wait()
        return running

    async def close(self) -> None:
        await self.engine.close(0)
        await self.puppets.close()


async def test_a_runtime_that_is_ready_before_its_sandbox_is_known_gets_its_call() -> None:
    scene = Scene()
    running = await scene.greet(target("hello.handler"))
    puppet = scene.puppets.made[0]
    os.write(puppet._write, b"printed by init\n")
    await calm()
    assert scene.puppets.inits == 1
    assert not running.done()
    scene.puppets.there.set()
    async with asyncio.timeout(10):
        assert await running == b"null"
    assert scene.puppets.inits == 1  # it was not told again
    assert scene.recorder.lines("r") == ["printed by init"]
    kinds = [event[0] for event in scene.recorder.events]
    assert kinds.index("began") < kinds.index("output")
    await scene.close()


async def test_an_init_that_failed_before_its_sandbox_is_known_is_told() -> None:
    scene = Scene()
    scene.puppets.holds_init = True
    running = asyncio.create_task(scene.engine.invoke(target("hello.handler"), call(None, "r")))
    scene.puppets.there.set()
    for number in range(2):  # the second time, the init is repeated
        async with asyncio.timeout(10):
            await scene.puppets.greeted.wait()
        scene.puppets.greeted.clear()
        scene.puppets.made[number].say(frames.encode(frames.INIT_ERROR, {}, b'{"errorType": "Early"}'))
    async with asyncio.timeout(10):
        outcome = await running
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.payload) == ("init-raised", b'{"errorType": "Early"}')
    await scene.close()


@pytest.mark.parametrize("policy", ["asyncio", "uvloop"])
def test_what_was_said_last_is_heard_although_a_call_is_written_to_nobody(policy: str) -> None:
    """The runtime fails and ends before its sandbox is known: the call that is sent ahead finds its socket closed."""

    async def main() -> None:
        scene = Scene()
        scene.puppets.holds_init = True
        running = asyncio.create_task(scene.engine.invoke(target("hello.handler"), call(None, "r")))
        for number in range(2):  # the second time, the init is repeated
            async with asyncio.timeout(10):
                await scene.puppets.greeted.wait()
            scene.puppets.greeted.clear()
            await calm()
            error = frames.encode(frames.INIT_ERROR, {}, b'{"errorType": "Early"}')
            scene.puppets.made[number].say(error)
            scene.puppets.made[number].kill()
            scene.puppets.there.set()
        async with asyncio.timeout(10):
            outcome = await running
        assert outcome.failure is not None
        assert (outcome.failure.kind, outcome.failure.payload) == ("init-raised", b'{"errorType": "Early"}')
        assert [kind for _, kind, _ in scene.recorder.of("initialized")] == ["init-raised"] * 2
        await scene.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if policy == "uvloop" else None) as runner:
        runner.run(main())


async def test_a_sandbox_that_comes_to_nothing_after_its_greeting_fails_its_call() -> None:
    scene = Scene()
    scene.puppets.fails = SandboxStartError("no")
    running = await scene.greet(target("hello.handler"))
    scene.puppets.there.set()
    with pytest.raises(SandboxStartError):
        await running
    await scene.close()


async def test_variables_that_cannot_be_had_fail_the_start() -> None:
    scene = Scene()

    async def environment(instance: str) -> dict[str, str]:
        raise SandboxStartError("no variables")

    subject = dataclasses.replace(target("hello.handler"), environment=environment)
    with pytest.raises(SandboxStartError, match="no variables"):
        await scene.engine.invoke(subject, call(None, "r"))
    await scene.close()
