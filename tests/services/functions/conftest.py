"""A `Stage` for every test here; `open_stage` for tests that restart or have limits of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mayfly.clock import ManualClock
from mayfly.services.functions import MIGRATED
from mayfly.settings import FunctionLimits
from tests.conftest import OpenStore
from tests.services.functions.stage import Stage

OpenStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def open_stage(tmp_path: Path, clock: ManualClock, open_store: OpenStore) -> AsyncIterator[OpenStage]:
    stages: list[Stage] = []

    async def open_(limits: FunctionLimits | None = None) -> Stage:
        stage = Stage(
            tmp_path,
            await open_store(
                *MIGRATED,
                "mayfly.images",
                "mayfly.services.queues",
                "mayfly.services.objects",
                "mayfly.streams",
                "mayfly.ticker",
            ),
            clock,
            limits,
        )
        await stage.start()
        stages.append(stage)
        return stage

    yield open_
    for stage in stages:
        await stage.stop(grace_s=0)


@pytest.fixture
async def stage(open_stage: OpenStage) -> Stage:
    return await open_stage()
