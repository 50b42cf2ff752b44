"""Environment variables at rest: what is stored tells nobody, and everybody who may reads them as before."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.clock import ManualClock
from mayfly.front.entries import entry_message
from mayfly.services.functions import MIGRATED, repository, version_repository
from mayfly.services.functions.variables import Variables
from mayfly.store.api import Reader, Tx
from mayfly.store.migrations import MigrationError
from mayfly.store.sqlite import SqliteStore
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import Stage

SECRET = "correct horse battery staple"
ENVIRONMENT = {"Variables": {"PASSWORD": SECRET}}


def documents(reader: Reader) -> str:
    """All that the store has of functions and versions."""
    rows = reader.all("SELECT document FROM functions_function UNION ALL SELECT document FROM functions_version")
    return "\n".join(row[0] for row in rows)


async def shown(stage: Stage, **params: Any) -> Any:
    return (await stage.call("GetFunctionConfiguration", FunctionName="f", **params)).get("Environment")


async def seen(stage: Stage) -> str:
    """What an instance of the function that was called last gets."""
    return (await stage.engine.calls[-1][0].environment("i-9"))["PASSWORD"]


async def test_what_is_stored_of_variables_is_encrypted(stage: Stage) -> None:
    await stage.create(Environment=ENVIRONMENT, Publish=True)
    stored = await stage.store.read(documents)
    assert SECRET not in stored
    assert "PASSWORD" not in stored
    assert stored.count('"sealed"') == 2


async def test_every_operation_shows_them_and_calls_have_them(stage: Stage) -> None:
    made = await stage.create(Environment=ENVIRONMENT, Publish=True)
    found = await stage.call("GetFunction", FunctionName="f")
    listed = await stage.call("ListFunctions", FunctionVersion="ALL")
    versions = await stage.call("ListVersionsByFunction", FunctionName="f")
    changed = await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    published = await stage.call("PublishVersion", FunctionName="f")
    replies = [made, found["Configuration"], *listed["Functions"], *versions["Versions"], changed, published]
    assert [reply["Environment"] for reply in replies] == [ENVIRONMENT] * len(replies)
    for qualifier in ("$LATEST", "1"):
        assert await shown(stage, Qualifier=qualifier) == ENVIRONMENT
        await stage.call("Invoke", FunctionName="f", Qualifier=qualifier, Payload=b"{}")
        assert await seen(stage) == SECRET


async def test_settings_that_hang_on_a_function_leave_them_as_they_are(stage: Stage) -> None:
    await stage.create(Environment=ENVIRONMENT)
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    await stage.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=5)
    await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0)
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    assert await seen(stage) == SECRET
    assert await shown(stage) == ENVIRONMENT


async def test_the_same_variables_set_again_change_nothing(stage: Stage) -> None:
    await stage.create(Environment=ENVIRONMENT, Publish=True)
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Environment=ENVIRONMENT)
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    assert len({target.key for target, _ in stage.engine.calls}) == 1
    assert (await stage.call("PublishVersion", FunctionName="f"))["Version"] == "1"
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Environment={"Variables": {}})
    assert await shown(stage) == {"Variables": {}}
    assert (await stage.call("PublishVersion", FunctionName="f"))["Version"] == "2"


async def in_clear(stage: Stage) -> None:
    """Have a function and its version as an earlier version of Mayfly stored them, and end it all."""

    def plain(tx: Tx) -> None:
        opening = Variables(stage.vault)
        function, version = repository.find(tx, "f"), version_repository.find_version(tx, "f", "1")
        assert function is not None
        assert version is not None
        repository.update(tx, opening.opened(function))
        version_repository.update_version(tx, opening.opened(version))
        applied = "DELETE FROM schema_migrations WHERE package = 'mayfly.services.functions' AND number = 6"
        assert tx.run(applied) == 1

    await stage.store.write(plain)
    assert SECRET in await stage.store.read(documents)
    await stage.stop(grace_s=0)
    await stage.store.close()


async def test_variables_that_an_earlier_version_of_mayfly_stored_are_encrypted_by_the_next_start(
    open_stage: OpenStage, tmp_path: Path, clock: ManualClock
) -> None:
    stage = await open_stage()
    await stage.create(Environment=ENVIRONMENT, Publish=True)
    await in_clear(stage)
    await (await SqliteStore.open(tmp_path / "mayfly.db", MIGRATED, clock, stage.vault.seal)).close()
    stage = await open_stage()
    assert SECRET not in await stage.store.read(documents)
    assert await shown(stage) == await shown(stage, Qualifier="1") == ENVIRONMENT
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    assert await seen(stage) == SECRET


async def test_encrypting_that_is_interrupted_leaves_all_as_it_was_and_is_done_by_the_next_start(
    open_stage: OpenStage, tmp_path: Path, clock: ManualClock
) -> None:
    stage = await open_stage()
    await stage.create(Environment=ENVIRONMENT, Publish=True)
    await in_clear(stage)
    left = iter(range(1))

    def seal(plain: bytes, about: str) -> bytes:
        if next(left, None) is None:
            raise OSError("no space")
        return stage.vault.seal(plain, about)

    with pytest.raises(MigrationError, match="0006_sealed_variables"):
        await SqliteStore.open(tmp_path / "mayfly.db", MIGRATED, clock, seal)
    with sqlite3.connect(tmp_path / "mayfly.db") as connection:
        counted = "SELECT count(*) FROM functions_function WHERE document LIKE ?"
        assert connection.execute(counted, (f"%{SECRET}%",)).fetchone() == (1,)
    connection.close()
    await (await SqliteStore.open(tmp_path / "mayfly.db", MIGRATED, clock, stage.vault.seal)).close()
    stage = await open_stage()
    assert SECRET not in await stage.store.read(documents)
    assert await shown(stage) == ENVIRONMENT


async def test_a_function_whose_key_is_lost_says_so_and_can_be_given_new_variables(
    open_stage: OpenStage, tmp_path: Path
) -> None:
    stage = await open_stage()
    await stage.create(Environment=ENVIRONMENT)
    await stage.stop(grace_s=0)
    (tmp_path / "secrets.key").write_bytes(b"x" * 32)
    stage = await open_stage()
    assert (await shown(stage))["Error"]["ErrorCode"] == "KMSInvalidStateException"
    refused = await stage.refusal("Invoke", FunctionName="f", Payload=b"{}")
    assert refused.code == "ServiceException"
    assert "cannot be decrypted; set them again" in refused.message
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Environment={"Variables": {"PASSWORD": "new"}})
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    assert await seen(stage) == "new"


async def test_fronts_are_not_told_of_variables(stage: Stage) -> None:
    await stage.create(Environment=ENVIRONMENT, Publish=True)
    for qualifier in (None, "1"):
        entry = await stage.functions.catalog.get("f", qualifier)
        assert SECRET.encode() not in msgspec.msgpack.encode(entry_message(1, entry))


async def test_an_error_about_variables_does_not_repeat_them(stage: Stage) -> None:
    for variables in ({"A": SECRET * 200}, {"AWS_REGION": SECRET}, {"A": f"{SECRET}\0"}):
        refused = await stage.refusal(
            "CreateFunction",
            FunctionName="f",
            Runtime="python3.11",
            Handler="app.handler",
            Role="arn:aws:iam::000000000000:role/runs",
            Code={"ZipFile": b"zip"},
            Environment={"Variables": variables},
        )
        assert refused.code == "InvalidParameterValueException"
        assert SECRET not in refused.message


async def test_a_customers_key_is_refused_with_the_reason(stage: Stage) -> None:
    await stage.create(KMSKeyArn="")
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    refused = await stage.refusal("UpdateFunctionConfiguration", FunctionName="f", KMSKeyArn=key)
    assert (refused.code, refused.status) == ("InvalidParameterValueException", 400)
    assert "key management service" in refused.message


@pytest.mark.parametrize("name", ["f", "another"])
async def test_what_is_sealed_for_one_function_does_not_open_for_another(stage: Stage, name: str) -> None:
    await stage.create(Environment=ENVIRONMENT)
    sealing = Variables(stage.vault)
    stored = await stage.store.read(lambda reader: repository.find(reader, "f"))
    assert stored is not None
    opened = sealing.opened(msgspec.structs.replace(stored, name=name))
    assert (opened.configuration.environment is not None) is (name == "f")
