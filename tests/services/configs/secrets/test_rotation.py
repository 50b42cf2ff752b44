"""Rotations and deletions over time: with a function that is a stand-in, a real store, and a clock that is moved."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mayfly.app.vault import FileVault
from mayfly.clock import ManualClock
from mayfly.services.configs.scopes import Scope
from mayfly.services.configs.secrets import catalog
from mayfly.services.configs.secrets.model import CURRENT, DAY_S, PENDING, Secret
from mayfly.services.configs.secrets.rotation import STEPS
from mayfly.services.configs.secrets.service import SecretsService
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.ports import PLAIN, TargetOptions
from mayfly.store.api import Tx
from mayfly.store.queue import SqlReadyQueue
from mayfly.store.sqlite import SqliteStore
from tests.conftest import OpenStore

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:rotate"
CONTEXT = RequestContext(
    "r", "000000000000", "us-east-1", Principal("root", "000000000000", "arn:root", "root"), "http://127.0.0.1"
)
Act = Callable[[str, str], Awaitable[None]]


class Function:
    """Called for each step; `act` is what it does then."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.act: Act | None = None
        self.fails: set[str] = set()
        self.failed = asyncio.Event()

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        if arn != FUNCTION:
            raise ServiceError("ResourceNotFoundException", "none")

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        raise AssertionError("rotations wait for the answer")

    async def find(self, service: str, action: str) -> tuple[str, str] | None:
        raise AssertionError("nobody asks")

    async def call_json(
        self, context: RequestContext, service: str, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        event = document["Payload"]
        self.steps.append(event["Step"])
        if event["Step"] in self.fails:
            self.failed.set()
            return {"FunctionError": "Unhandled", "Payload": b'{"errorMessage": "no"}'}
        if self.act is not None:
            await self.act(event["Step"], event["ClientRequestToken"])
        return {"Payload": b"null"}


class Stage:
    """A service on a store, running."""

    def __init__(self, store: SqliteStore, clock: ManualClock, vault: FileVault, function: Function) -> None:
        self.store, self.clock, self.function = store, clock, function
        self.queue = SqlReadyQueue(store, clock, vault)
        self.service = SecretsService(store, self.queue, clock, vault, function, function, "http://127.0.0.1")

    async def __call__(self, operation: str, **params: Any) -> Any:
        return await self.service.operations[operation](CONTEXT, params)

    async def secret(self, name: str = "s") -> Secret | None:
        place = (Scope("000000000000", "us-east-1"), name)
        return await self.store.read(lambda reader: next((s for p, s in catalog.walk(reader, place[0])), None))

    async def when(self, condition: Callable[[Secret], bool], moving: float = 0.0) -> Secret:
        """The secret once the condition holds; time moves by `moving` with each look."""
        async with asyncio.timeout(20):
            while True:
                found = await self.secret()
                if found is not None and condition(found):
                    return found
                self.move(moving)
                await asyncio.sleep(0.005)

    async def ended(self) -> None:
        """Return when no rotation is under way."""
        async with asyncio.timeout(20):
            while not await self.queue.is_empty("secrets-rotations"):  # noqa: ASYNC110 - there is nothing else to see
                await asyncio.sleep(0.005)

    def move(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.queue.clock_moved()
        self.service.ticker.clock_moved()

    async def rotate(self, step: str, token: str) -> None:
        """What a rotation function does."""
        if step == "createSecret":
            await self(
                "PutSecretValue", SecretId="s", ClientRequestToken=token, SecretString=token, VersionStages=[PENDING]
            )
        elif step == "finishSecret":
            found = await self.secret()
            assert found is not None
            current = found.staged(CURRENT)
            assert current is not None
            await self(
                "UpdateSecretVersionStage",
                SecretId="s",
                VersionStage=CURRENT,
                MoveToVersionId=token,
                RemoveFromVersionId=current.id,
            )


@pytest.fixture
async def stage(open_store: OpenStore, clock: ManualClock, tmp_path: Path) -> Stage:
    store = await open_store("mayfly.services.configs", "mayfly.ticker", "mayfly.app")
    return Stage(store, clock, FileVault(tmp_path / "key"), Function())


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    task = asyncio.create_task(stage.service.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_a_secret_is_rotated_again_when_its_days_are_over(stage: Stage) -> None:
    stage.function.act = stage.rotate
    await stage("CreateSecret", Name="s", SecretString="old")
    async with running(stage):
        await stage(
            "RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 2}
        )
        first = await stage.when(lambda secret: secret.rotated_at is not None)
        assert stage.function.steps == list(STEPS)
        stage.move(2 * DAY_S)
        again = await stage.when(lambda secret: secret.rotated_at != first.rotated_at)
    assert stage.function.steps == [*STEPS, *STEPS]
    assert again.staged(PENDING) is None
    assert (await stage("GetSecretValue", SecretId="s"))["SecretString"] != "old"


async def test_a_rotation_that_was_begun_goes_on_in_the_next_server(stage: Stage) -> None:
    stage.function.act = stage.rotate
    await stage("CreateSecret", Name="s", SecretString="old")
    token = (await stage("RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION))["VersionId"]
    assert stage.function.steps == []  # nobody runs
    async with running(stage):
        done = await stage.when(lambda secret: secret.rotated_at is not None)
    current = done.staged(CURRENT)
    assert current is not None
    assert current.id == token


async def test_a_step_that_fails_has_all_of_them_repeated_and_another_rotation_waits(stage: Stage) -> None:
    stage.function.act = stage.rotate
    stage.function.fails = {"testSecret"}
    await stage("CreateSecret", Name="s", SecretString="old")
    async with running(stage):
        await stage("RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION)
        async with asyncio.timeout(20):
            await stage.function.failed.wait()
        with pytest.raises(ServiceError, match="A previous rotation isn't complete"):
            await stage("RotateSecret", SecretId="s")
        stage.function.fails = set()
        await stage.when(lambda secret: secret.rotated_at is not None, moving=30.0)
    assert stage.function.steps[3:] == list(STEPS)


async def test_a_rotation_that_is_cancelled_takes_no_further_step(stage: Stage) -> None:
    await stage("CreateSecret", Name="s", SecretString="old")
    await stage("RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION)
    await stage("CancelRotateSecret", SecretId="s")
    async with running(stage):
        await stage.ended()
    assert stage.function.steps == []


async def test_a_secret_goes_when_its_recovery_window_is_over(stage: Stage) -> None:
    await stage("CreateSecret", Name="s", SecretString="old")
    await stage("DeleteSecret", SecretId="s", RecoveryWindowInDays=7)
    async with running(stage):
        stage.clock.advance(7 * DAY_S - 1)
        await stage.service.ticker.settle()
        assert await stage.secret() is not None
        stage.clock.advance(2)
        await stage.service.ticker.settle()
    assert await stage.secret() is None
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        await stage("GetSecretValue", SecretId="s")


async def test_a_function_that_may_not_be_called_rotates_nothing(stage: Stage) -> None:
    await stage("CreateSecret", Name="s", SecretString="old")
    with pytest.raises(ServiceError, match="principal secretsmanager"):
        await stage("RotateSecret", SecretId="s", RotationLambdaARN=FUNCTION.replace("rotate", "other"))
