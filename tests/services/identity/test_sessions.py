"""Credentials in use: keys found and lost, roles assumed, users held back."""

from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import Principal, ServiceError
from mayfly.services.identity.access import guarded
from mayfly.services.identity.on_the_wire import IdentityOnTheWire
from mayfly.services.identity.service import IdentityService, Secrets
from mayfly.store.sqlite import SqliteStore

from .conftest import ACCOUNT, Call, context
from .documents import LAMBDA_TRUST, trust

pytestmark = pytest.mark.asyncio
WORKER = f"arn:aws:iam::{ACCOUNT}:role/worker"


async def make_role(iam: Call, policy: str, name: str = "worker", **more: Any) -> None:
    await iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=policy, **more)


async def assume(sts: Call, principal: Principal | None = None, **more: Any) -> dict[str, Any]:
    arguments = {"RoleArn": WORKER, "RoleSessionName": "s1", **more}
    return await (sts("AssumeRole", **arguments) if principal is None else sts("AssumeRole", principal, **arguments))


async def find(identity: IdentityService, credentials: dict[str, Any]) -> Principal:
    key = await identity.keys.find(credentials["AccessKeyId"], credentials["SessionToken"])
    assert key.secret_access_key == credentials["SecretAccessKey"]
    return key.principal


async def code_of(awaitable: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        await awaitable
    return caught.value.code


async def test_the_root_key_is_known_and_unknown_keys_are_not(identity: IdentityService) -> None:
    root = await identity.keys.find(identity.root_key.access_key_id, None)
    assert root.principal.kind == "root"
    assert root.secret_access_key == identity.root_key.secret_access_key
    assert await code_of(identity.keys.find("AKIAAAAAAAAAAAAAAAAA", None)) == "InvalidClientTokenId"
    assert await code_of(identity.keys.find(identity.root_key.access_key_id, "token")) == "InvalidClientTokenId"


async def test_an_assumed_role_acts_under_its_session(identity: IdentityService, iam: Call, sts: Call) -> None:
    await make_role(iam, trust({"AWS": ACCOUNT}))
    reply = await assume(sts)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/s1"
    assert reply["AssumedRoleUser"]["Arn"] == arn
    principal = await find(identity, reply["Credentials"])
    assert (principal.kind, principal.arn) == ("assumed-role", arn)
    who = await sts("GetCallerIdentity", principal)
    assert who == {"UserId": reply["AssumedRoleUser"]["AssumedRoleId"], "Account": ACCOUNT, "Arn": arn}


async def test_credentials_end_at_their_time_also_when_cached(
    identity: IdentityService, iam: Call, sts: Call, clock: ManualClock
) -> None:
    await make_role(iam, trust({"AWS": ACCOUNT}))
    credentials = (await assume(sts, DurationSeconds=900))["Credentials"]
    clock.advance(899)
    await find(identity, credentials)
    clock.advance(1)
    assert await code_of(find(identity, credentials)) == "ExpiredToken"
    assert await code_of(find(identity, credentials)) == "ExpiredToken"


async def test_a_tampered_token_and_a_foreign_key_id_are_refused(
    identity: IdentityService, iam: Call, sts: Call
) -> None:
    await make_role(iam, trust({"AWS": ACCOUNT}))
    one, two = [(await assume(sts))["Credentials"] for _ in range(2)]
    token = one["SessionToken"]
    assert await code_of(identity.keys.find(one["AccessKeyId"], token[:-8] + "AAAAAAA=")) == "InvalidClientTokenId"
    assert await code_of(identity.keys.find(two["AccessKeyId"], token)) == "InvalidClientTokenId"
    assert await code_of(identity.keys.find(one["AccessKeyId"], None)) == "InvalidClientTokenId"


async def test_sessions_of_a_deleted_role_end_and_a_namesake_does_not_revive_them(
    identity: IdentityService, iam: Call, sts: Call
) -> None:
    await make_role(iam, trust({"AWS": ACCOUNT}))
    credentials = (await assume(sts))["Credentials"]
    await find(identity, credentials)
    await iam("DeleteRole", RoleName="worker")
    assert await code_of(find(identity, credentials)) == "InvalidClientTokenId"
    await make_role(iam, trust({"AWS": ACCOUNT}))
    assert await code_of(find(identity, credentials)) == "InvalidClientTokenId"


async def test_credentials_outlive_a_restart(
    identity: IdentityService, iam: Call, sts: Call, store: SqliteStore, clock: ManualClock, tmp_path: Path
) -> None:
    await make_role(iam, trust({"AWS": ACCOUNT}))
    credentials = (await assume(sts))["Credentials"]
    restarted = IdentityService(store, clock, Secrets.load(tmp_path, ACCOUNT))
    assert (await find(restarted, credentials)).kind == "assumed-role"


async def test_a_role_that_does_not_trust_the_caller_looks_like_one_that_is_not_there(iam: Call, sts: Call) -> None:
    missing = await code_of(assume(sts))
    await make_role(iam, LAMBDA_TRUST)
    assert missing == await code_of(assume(sts)) == "AccessDenied"


async def test_a_session_lasts_no_longer_than_its_role_allows(iam: Call, sts: Call) -> None:
    await make_role(iam, trust({"AWS": ACCOUNT}), MaxSessionDuration=7200)
    await assume(sts, DurationSeconds=7200)
    assert await code_of(assume(sts, DurationSeconds=7201)) == "ValidationError"


async def test_a_chained_session_lasts_an_hour_at_most(identity: IdentityService, iam: Call, sts: Call) -> None:
    await make_role(iam, trust({"AWS": [ACCOUNT, WORKER]}), MaxSessionDuration=43200)
    session = await find(identity, (await assume(sts))["Credentials"])
    await assume(sts, session, DurationSeconds=3600)
    assert await code_of(assume(sts, session, DurationSeconds=3601)) == "ValidationError"


async def test_a_session_is_trusted_by_the_name_of_its_role(identity: IdentityService, iam: Call, sts: Call) -> None:
    await make_role(iam, trust({"AWS": ACCOUNT}))
    await make_role(iam, trust({"AWS": WORKER}), "second")
    session = await find(identity, (await assume(sts))["Credentials"])
    second = f"arn:aws:iam::{ACCOUNT}:role/second"
    assert (await assume(sts, session, RoleArn=second))["AssumedRoleUser"]["Arn"].endswith("second/s1")
    assert await code_of(assume(sts, RoleArn=second)) == "AccessDenied"


@pytest.mark.parametrize("name", ["Policy", "PolicyArns", "Tags", "TokenCode"])
async def test_what_would_narrow_a_session_is_refused_and_not_ignored(iam: Call, sts: Call, name: str) -> None:
    await make_role(iam, trust({"AWS": ACCOUNT}))
    assert await code_of(assume(sts, None, **{name: "x"})) == "NotImplemented"


async def test_a_users_key_identifies_it_until_it_is_disabled_or_deleted(identity: IdentityService, iam: Call) -> None:
    await iam("CreateUser", UserName="bob")
    key = (await iam("CreateAccessKey", UserName="bob"))["AccessKey"]
    found = await identity.keys.find(key["AccessKeyId"], None)
    assert found.secret_access_key == key["SecretAccessKey"]
    assert (found.principal.kind, found.principal.arn) == ("user", f"arn:aws:iam::{ACCOUNT}:user/bob")
    named = {"UserName": "bob", "AccessKeyId": key["AccessKeyId"]}
    await iam("UpdateAccessKey", Status="Inactive", **named)
    assert await code_of(identity.keys.find(key["AccessKeyId"], None)) == "InvalidClientTokenId"
    await iam("UpdateAccessKey", Status="Active", **named)
    await identity.keys.find(key["AccessKeyId"], None)
    await iam("DeleteAccessKey", **named)
    assert await code_of(identity.keys.find(key["AccessKeyId"], None)) == "InvalidClientTokenId"


async def test_a_user_may_say_who_it_is_and_assume_what_names_it_and_nothing_else(
    identity: IdentityService, iam: Call, sts: Call
) -> None:
    bob = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/bob", "AIDA1")
    guard = guarded(IdentityOnTheWire(identity).sts)
    assert (await guard.operations["GetCallerIdentity"](context(bob), {}))["Arn"] == bob.arn
    with pytest.raises(ServiceError) as caught:
        await guarded(IdentityOnTheWire(identity).iam).operations["ListRoles"](context(bob), {})
    assert (caught.value.code, caught.value.message) == (
        "AccessDenied",
        f"User: {bob.arn} is not authorized to perform: iam:ListRoles",
    )
    key = await iam("CreateAccessKey", UserName=(await iam("CreateUser", UserName="bob"))["User"]["UserName"])
    assert await code_of(identity.acting_keys.find(key["AccessKey"]["AccessKeyId"], None)) == "AccessDenied"
    assert (await identity.acting_keys.find(identity.root_key.access_key_id, None)).principal.kind == "root"
    await make_role(iam, trust({"AWS": bob.arn}))
    await make_role(iam, trust({"AWS": ACCOUNT}), "other")
    await assume(sts, bob)
    assert await code_of(assume(sts, bob, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/other")) == "AccessDenied"


async def test_the_platform_gets_credentials_of_roles_that_trust_its_services(
    identity: IdentityService, iam: Call, clock: ManualClock
) -> None:
    await make_role(iam, LAMBDA_TRUST)
    assert await identity.roles.exists(WORKER)
    assert await identity.roles.trusts(WORKER, "lambda.amazonaws.com")
    assert not await identity.roles.trusts(WORKER, "ecs.amazonaws.com")
    credentials = await identity.roles.credentials(WORKER, "function-1", 43_200)
    key = await identity.keys.find(credentials.access_key_id, credentials.session_token)
    assert key.principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/function-1"
    assert credentials.expiration.timestamp() == clock.now() + 43_200
    assert credentials.access_key_id.startswith("ASIA")


async def test_the_platform_learns_that_a_role_is_not_there(identity: IdentityService, iam: Call) -> None:
    await make_role(iam, LAMBDA_TRUST)
    for arn in (f"arn:aws:iam::{ACCOUNT}:role/none", f"arn:aws:iam::{ACCOUNT}:role/path/worker", "worker"):
        assert not await identity.roles.exists(arn)
        assert not await identity.roles.trusts(arn, "lambda.amazonaws.com")
        assert await code_of(identity.roles.credentials(arn, "s", 900)) == "NoSuchEntity"


async def test_no_credentials_are_made_for_a_deleted_role_and_those_of_its_namesake_are_its_own(
    identity: IdentityService, iam: Call
) -> None:
    for _ in range(2):
        await make_role(iam, LAMBDA_TRUST)
        for _ in range(2):
            credentials = await identity.roles.credentials(WORKER, "function-1", 900)
            key = await identity.keys.find(credentials.access_key_id, credentials.session_token)
            role = (await iam("GetRole", RoleName="worker"))["Role"]
            assert key.principal.user_id == f"{role['RoleId']}:function-1"
        await iam("DeleteRole", RoleName="worker")
        assert await code_of(identity.roles.credentials(WORKER, "function-1", 900)) == "NoSuchEntity"


async def test_a_look_up_that_overlaps_the_deletion_of_its_role_leaves_nothing_behind(
    identity: IdentityService, iam: Call, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_role(iam, LAMBDA_TRUST)
    read = store.read

    async def slow(body: Any) -> Any:
        found = await read(body)
        monkeypatch.undo()
        await iam("DeleteRole", RoleName="worker")
        return found

    monkeypatch.setattr(store, "read", slow)
    await identity.roles.credentials(WORKER, "function-1", 900)
    assert await code_of(identity.roles.credentials(WORKER, "function-1", 900)) == "NoSuchEntity"


async def test_a_role_that_was_found_once_is_not_looked_up_for_each_instance(
    identity: IdentityService, iam: Call, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_role(iam, LAMBDA_TRUST)
    first = await identity.roles.credentials(WORKER, "function-1", 900)
    monkeypatch.setattr(store, "read", None)
    second = await identity.roles.credentials(WORKER, "function-1", 900)
    assert first.access_key_id != second.access_key_id
    assert first.session_token != second.session_token
