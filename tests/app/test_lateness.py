"""What an idle server has in memory: not the services, nor the models, that nobody has asked for."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mayfly
from mayfly.app.foundations import MIGRATED
from mayfly.app.in_use import Traces, in_use, tables
from mayfly.clock import ManualClock
from mayfly.services import apis, functions
from mayfly.store.api import NewItem, Reader
from mayfly.store.queue import SqlReadyQueue
from tests.conftest import VAULT, OpenStore, start_platform

# What each part of these packages costs, every service has: a server has them when somebody uses them.
LATE = ("autoscaling", "configs", "events", "pipes", "queues", "registries", "schedules", "stacks", "tables", "topics")
# Libraries that one feature needs, and the server not before.
HEAVY = (
    "aiohttp",
    "boto3",
    "cryptography",
    "jsonschema",
    "pydantic",
    "regex",
    "rich",
    "samtranslator",
    "typer",
    "wasmtime",
    "watchfiles",
    "websockets",
    "yaml",
)
# Small parts of late packages by which others reach them.
DOORS = {
    "mayfly.services.apis.directory",
    "mayfly.services.apis.statements",
    "mayfly.services.autoscaling.event_targets",
    "mayfly.services.objects.cors",
    "mayfly.services.objects.errors",
}
# Packages as such are next to nothing, and those with migrations are asked for them.
SOURCE = Path(mayfly.__file__).parent
PACKAGES = {".".join(("mayfly", *path.parent.relative_to(SOURCE).parts)) for path in SOURCE.rglob("__init__.py")}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def inside(data: Path, *wanted: str) -> Any:
    """What a server on a data directory says of itself."""
    command = [sys.executable, "-m", "tests.app.inside_server", str(data), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return inside(tmp_path_factory.mktemp("idle") / "data")


def test_an_idle_server_has_no_module_of_a_service_that_nobody_asked_for(idle: Any) -> None:
    packages = ("mayfly.vtl.", *(f"mayfly.services.{name}." for name in (*LATE, "apis", "objects")))
    assert [name for name in idle["modules"] if name.startswith(packages) and name not in DOORS | PACKAGES] == []


def test_an_idle_server_has_no_operation_of_any_service(idle: Any) -> None:
    of_calls = {  # which other parts of functions share something with
        "mayfly.services.functions.operations.invocations",
        "mayfly.services.functions.providers.operations",
        "mayfly.services.functions.signing.operations.configs",
    }
    operations = re.compile(r"mayfly\.services\.(?!ports).*\boperations\b(\.\w+)?$")
    found = {name for name in idle["modules"] if operations.match(name) and name not in PACKAGES}
    assert found - of_calls == set()


def test_an_idle_server_has_no_library_that_only_some_features_need(idle: Any) -> None:
    assert [name for name in HEAVY if name in idle["modules"]] == []


def test_an_idle_server_has_no_model_and_no_service(idle: Any) -> None:
    assert (idle["wires"], idle["made"]) == ([], [])


def test_what_a_server_made_for_itself_does_not_count_as_use(tmp_path: Path) -> None:
    """Asking everybody who is there makes what services make for themselves, the default group of schedules for one."""
    visited = inside(tmp_path / "data", "visit")["visited"]
    assert {name: found[0] for name, found in visited.items()} == {name: name for name in visited}
    assert [name for name, (_, count) in visited.items() if count == 0] == []
    again = inside(tmp_path / "data")
    assert (again["wires"], again["made"]) == ([], [])


def test_services_in_use_are_there_after_a_start_and_no_others(tmp_path: Path) -> None:
    server, platform = start_platform(tmp_path / "data")
    try:
        platform.client("sqs").create_queue(QueueName="q")
        platform.client("events").put_rule(Name="r", ScheduleExpression="rate(1 day)")
        platform.client("ssm").put_parameter(Name="p", Value="v", Type="String")
        platform.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    finally:
        server.terminate()
        assert server.wait(60) == 0
    found = inside(tmp_path / "data")
    assert found["made"] == ["buses", "configs", "queues"]
    assert found["wires"] == ["events", "secretsmanager", "sqs", "ssm"]


async def test_the_tables_by_which_use_is_known_are_there_and_empty(open_store: OpenStore) -> None:
    store = await open_store(*MIGRATED)
    found = {table for package in MIGRATED for table in tables(package)}

    def rows(reader: Reader) -> dict[str, object]:
        return {table: reader.one(f"SELECT 1 FROM {table}") for table in sorted(found)}

    assert set((await store.read(rows)).values()) == {None}
    assert {"queues_queue", "functions_url", "rest_api", "stacks_stacks"} <= found


async def test_use_is_a_row_of_its_own_or_work_in_the_ready_queue(open_store: OpenStore, clock: ManualClock) -> None:
    store = await open_store(*MIGRATED)
    traces = {
        "schedules": Traces(("mayfly.services.schedules",), unless={"schedules_group": "name = 'default'"}),
        "topics": Traces(("mayfly.services.topics",), queues=("topics.",)),
        "apis": Traces(apis.MIGRATED),
        "functions": Traces(functions.MIGRATED),
    }
    group = (
        "INSERT INTO schedules_group (name, state, created_at, modified_at, tags) VALUES (:name, 'ACTIVE', 0, 0, '{}')"
    )
    assert await in_use(store, traces) == set()
    await store.write(lambda tx: tx.run(group, {"name": "default"}))
    assert await in_use(store, traces) == set()
    await store.write(lambda tx: tx.run(group, {"name": "mine"}))
    assert await in_use(store, traces) == {"schedules"}
    queue = SqlReadyQueue(store, clock, VAULT)
    await store.write(lambda tx: queue.enqueue(tx, [NewItem("topics.fanout", b"{}")]))
    assert await in_use(store, traces) == {"schedules", "topics"}
