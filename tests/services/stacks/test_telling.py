"""What the event bus hears of stacks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mayfly.app.vault import FileVault
from mayfly.clock import ManualClock
from mayfly.services.stacks.service import StacksService
from mayfly.store.api import Tx
from mayfly.store.sqlite import SqliteStore
from tests.services.stacks.conftest import Stage, Thing


class Bus:
    """`ports.PlatformEvents` that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any], Sequence[str]]] = []

    def emit(
        self, tx: Tx, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        assert source == "aws.cloudformation"
        tx.after_commit(lambda: self.heard.append((detail_type, dict(detail), resources)))


async def test_the_bus_hears_of_stacks_and_their_resources(open_store: Any, clock: ManualClock, tmp_path: Path) -> None:
    store: SqliteStore = await open_store("mayfly.services.stacks")
    stage, bus = Stage(store, FileVault(tmp_path / "secrets.key"), clock), Bus()
    stage.service = StacksService(store, stage.vault, stage.shelf, stage.code, clock, {Thing.name: Thing()}, bus)
    await stage.service.start()
    try:
        stack = await stage.create({"One": {"Type": Thing.name}}, ClientRequestToken="mine")
    finally:
        await stage.service.stop()
    told = [
        (kind, detail.get("logical-resource-id"), detail["status-details"]["status"]) for kind, detail, _ in bus.heard
    ]
    assert told[0] == ("CloudFormation Stack Status Change", None, "CREATE_IN_PROGRESS")
    assert told[-1] == ("CloudFormation Stack Status Change", None, "CREATE_COMPLETE")
    assert ("CloudFormation Resource Status Change", "One", "CREATE_COMPLETE") in told
    assert {detail["stack-id"] for _, detail, _ in bus.heard} == {stack["StackId"]}
    assert {detail["client-request-token"] for _, detail, _ in bus.heard} == {"mine"}
