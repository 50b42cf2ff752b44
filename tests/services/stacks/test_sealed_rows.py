"""What stacks keep on the disk: nothing of what callers and services said stands there in clear, also not what an older
version wrote."""

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.app.vault import FileVault
from mayfly.clock import ManualClock
from mayfly.services.stacks.model import Definition, Operation
from mayfly.services.stacks.template.document import parse
from mayfly.store import migrations
from mayfly.store.migrations import MigrationError
from mayfly.store.sqlite import SqliteStore

from .conftest import ACCOUNT, CONTEXT, Stage, template, thing

pytestmark = pytest.mark.asyncio
SECRET = "Tr0ub4dor&3"
PARAMETERS = {"Password": {"Type": "String", "NoEcho": True}}
STACK = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/s/1"
DONE = "CREATE_COMPLETE"
CHANGE_SET = STACK.replace("stack/s/1", "changeSet/c/1")


def given(value: str) -> dict[str, Any]:
    return {"Parameters": [{"ParameterKey": "Password", "ParameterValue": value}]}


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_parameters_properties_attributes_and_outputs_are_not_on_the_disk(stage: Stage, tmp_path: Path) -> None:
    label = thing(Label={"Ref": "Password"})
    more = {
        "Parameters": PARAMETERS,
        "Outputs": {"Shown": {"Value": {"Ref": "Password"}, "Export": {"Name": "shown"}}},
    }
    stack = await stage.create({"A": label}, more=more, **given(SECRET))
    (output,) = stack["Outputs"]
    assert output["OutputValue"] == SECRET
    (export,) = (await stage.call("ListExports"))["Exports"]
    assert export["Value"] == SECRET
    changed = template({"A": thing(Label={"Fn::Sub": "${Password}!"})}, **more)
    await stage.call(
        "CreateChangeSet", StackName="s", ChangeSetName="c", TemplateBody=changed, **given(SECRET + SECRET)
    )
    await stage.call("ExecuteChangeSet", StackName="s", ChangeSetName="c")
    assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"
    assert stage.held()["A"] == {"Label": f"{SECRET}{SECRET}!"}
    await stage.call("DetectStackResourceDrift", StackName="s", LogicalResourceId="A")
    await stage.call("DeleteStack", StackName="s")
    await stage.settled(stack["StackId"])
    assert SECRET.encode() not in everything(tmp_path)


def written(path: Path, clock: ManualClock) -> None:
    """A database as the version before sealing left it, with a stack and an operation under way."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.create_function("mayfly_seal", 2, lambda plain, about: None)  # of rows, of which there are none
    connection.execute(migrations.CREATE_TABLE)
    for package, most in (("mayfly.store", 99), ("mayfly.services.stacks", 3)):
        for step in migrations.load(package)[:most]:
            connection.executescript(step.sql)
            row = {name: value for name, value in step._asdict().items() if name != "sql"}
            connection.execute(migrations.INSERT_APPLIED, {**row, "applied_at": clock.now()})
    body = template({"A": thing(Label={"Ref": "Password"})}, Parameters=PARAMETERS)
    definition = Definition(parse(json.loads(body)), {"Password": SECRET}, body=body)
    wanted = Operation("update", "forward", CONTEXT, definition)
    text = msgspec.json.encode(definition).decode()
    outputs = json.dumps({"Shown": SECRET})
    # What was given up before lies in free pages.
    _insert(connection, "stacks_stacks", ("gone", ACCOUNT, "r", "gone", None, DONE, SECRET * 2000, 1.0, None, None,
                                          text, outputs, "{}", None))  # fmt: skip
    connection.commit()
    connection.execute("DELETE FROM stacks_stacks")
    _insert(connection, "stacks_stacks", (STACK, ACCOUNT, "us-east-1", "s", "s", "UPDATE_IN_PROGRESS", 'say "hi"', 1.0,
            2.0, None, text, outputs, '{"StackPolicy":"p"}', msgspec.json.encode(wanted).decode()))  # fmt: skip
    properties = json.dumps({"Label": SECRET})
    _insert(connection, "stacks_resources", (STACK, "A", 1, "current", "Test::Shelf::Thing", "s-A-1", DONE, "", 1.0,
            properties, None, properties, "[]", "Delete", "Delete", 1))  # fmt: skip
    _insert(connection, "stacks_events", (STACK, 1, "e", "A", "s-A-1", "T", DONE, f"is {SECRET}", properties, "", 1.0))
    _insert(connection, "stacks_change_sets", (CHANGE_SET, STACK, "c", DONE, "", "AVAILABLE", "UPDATE", SECRET, 1.0,
            text, "[]", "ROLLBACK", "{}"))  # fmt: skip
    _insert(connection, "stacks_boxes", ("b", STACK, "custom", SECRET, 1.0, 2.0, 0))
    _insert(connection, "stacks_letters", ("b", "answer", SECRET, 1.0))
    _insert(connection, "stacks_drifts", (STACK, "A", "IN_SYNC", 1.0, properties))
    _insert(connection, "stacks_exports", (ACCOUNT, "us-east-1", "shown", STACK, SECRET))
    connection.commit()
    connection.close()


def _insert(connection: sqlite3.Connection, table: str, values: Iterable[Any]) -> None:
    row = tuple(values)
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


async def test_rows_in_clear_are_sealed_as_the_database_is_opened_and_the_operation_goes_on(
    tmp_path: Path, clock: ManualClock
) -> None:
    written(tmp_path / "mayfly.db", clock)
    assert SECRET.encode() in everything(tmp_path)
    vault = FileVault(tmp_path / "secrets.key")
    store = await SqliteStore.open(tmp_path / "mayfly.db", ("mayfly.services.stacks",), clock, vault.seal)
    try:
        assert SECRET.encode() not in everything(tmp_path)
        stage = Stage(store, vault, clock)
        stage.shelf.things["s-A-1"] = {"Label": "before"}
        before = await stage.stack()
        assert (before["StackStatus"], before["StackStatusReason"]) == ("UPDATE_IN_PROGRESS", 'say "hi"')
        (export,) = (await stage.call("ListExports"))["Exports"]
        assert export["Value"] == SECRET
        found = await stage.call("DescribeChangeSet", ChangeSetName=CHANGE_SET)
        assert found["Description"] == SECRET
        (letter,) = await stage.service.post.letters("b")
        box = await stage.service.post.find("b")
        assert box is not None
        assert (letter.body, box.key) == (SECRET, SECRET)
        (event,) = (await stage.call("DescribeStackEvents", StackName="s"))["StackEvents"]
        assert (event["ResourceStatusReason"], json.loads(event["ResourceProperties"])) == (
            f"is {SECRET}",
            {"Label": SECRET},
        )
        await stage.service.start()
        assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"
        await stage.service.stop()
    finally:
        await store.close()
    assert SECRET.encode() not in everything(tmp_path)


async def test_sealing_that_is_interrupted_leaves_all_rows_as_they_were(tmp_path: Path, clock: ManualClock) -> None:
    path, vault = tmp_path / "mayfly.db", FileVault(tmp_path / "secrets.key")
    written(path, clock)
    with sqlite3.connect(path) as connection:
        before = list(connection.iterdump())
    connection.close()
    left = iter(range(4))

    def seal(plain: bytes, about: str) -> bytes:
        if next(left, None) is None:
            raise OSError("no space")
        return vault.seal(plain, about)

    with pytest.raises(MigrationError, match="0004_sealed"):
        await SqliteStore.open(path, ("mayfly.services.stacks",), clock, seal)
    with sqlite3.connect(path) as connection:
        assert list(connection.iterdump()) == before
    connection.close()
    await (await SqliteStore.open(path, ("mayfly.services.stacks",), clock, vault.seal)).close()
    assert SECRET.encode() not in everything(tmp_path)


async def test_a_row_that_was_put_in_the_place_of_another_is_not_read(
    stage: Stage, open_store: Callable[..., Awaitable[SqliteStore]]
) -> None:
    for name in ("one", "two"):
        await stage.create({"A": thing()}, name)
    swap = "UPDATE stacks_stacks SET sealed = (SELECT sealed FROM stacks_stacks WHERE name = 'two') WHERE name = 'one'"
    await stage.store.write(lambda tx: tx.run(swap))
    with pytest.raises(Exception, match="cannot be read"):
        await stage.stack("one")
