"""Connections and API destinations: what is shown and what is not, requests as they are sent, answers and what they
mean."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mayfly.app.vault import FileVault, SecretLostError
from mayfly.clock import ManualClock
from mayfly.outgoing.api import OutgoingError, Request, Response
from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError, operations_of
from mayfly.services.events import connection_authorizer
from mayfly.services.events.api_destinations import ApiDestinations
from mayfly.services.events.destination_deliveries import retry_after
from mayfly.services.events.destination_rates import Pace
from mayfly.services.events.http_targets import HttpDelivery, HttpTargetError
from mayfly.store.sqlite import SqliteStore

BASIC = {"AuthorizationType": "BASIC", "AuthParameters": {"BasicAuthParameters": {"Username": "u", "Password": "p"}}}
OAUTH: dict[str, Any] = {
    "AuthorizationType": "OAUTH_CLIENT_CREDENTIALS",
    "AuthParameters": {
        "OAuthParameters": {
            "ClientParameters": {"ClientID": "id", "ClientSecret": "hush"},
            "AuthorizationEndpoint": "https://auth.example/token",
            "HttpMethod": "POST",
            "OAuthHttpParameters": {
                "BodyParameters": [{"Key": "audience", "Value": "all", "IsValueSecret": False}],
                "HeaderParameters": [{"Key": "X-Key", "Value": "k", "IsValueSecret": True}],
            },
        }
    },
}


class Web:
    """A `Sender` whose answers a test chooses."""

    def __init__(self) -> None:
        self.got: list[Request] = []
        self.answers: list[Response | OutgoingError] = []
        self.tokens = itertools.count(1)

    async def send(self, request: Request) -> Response:
        self.got.append(request)
        if request.url.startswith("https://auth.example/") and not self.answers:
            body = json.dumps({"access_token": f"token-{next(self.tokens)}", "expires_in": 3600}).encode()
            return Response(200, (), body)
        answer = self.answers.pop(0) if self.answers else Response(200, (), b"")
        if isinstance(answer, OutgoingError):
            raise answer
        return answer

    @property
    def last(self) -> dict[str, str]:
        """The headers of the last request."""
        return {name.lower(): value for name, value in self.got[-1].headers}


class Api:
    """Operations by name, and deliveries."""

    def __init__(self, store: SqliteStore, clock: ManualClock, vault: FileVault) -> None:
        self.web, self.clock, self.store = Web(), clock, store
        self.slept: list[float] = []
        numbers = itertools.count(1)
        self.made = ApiDestinations(store, vault, self.web, clock, lambda: f"0000-{next(numbers)}")
        self.made.deliveries._sleep = self._sleep
        self.operations = operations_of(*self.made.operations)
        self.context = RequestContext("r", "000000000000", "us-east-1", ANONYMOUS, "http://127.0.0.1:4566")

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    async def call(self, name: str, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.operations[name](self.context, request)
        return reply

    async def destination(self, connection: dict[str, Any], url: str = "https://api.example/in", **more: Any) -> str:
        made = await self.call("CreateConnection", Name="c", **connection)
        request = {"ConnectionArn": made["ConnectionArn"], "InvocationEndpoint": url, "HttpMethod": "POST"}
        destination = await self.call("CreateApiDestination", Name="d", **{**request, **more})
        arn: str = destination["ApiDestinationArn"]
        return arn

    async def until(self, state: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while (found := await self.call("DescribeConnection", Name="c"))["ConnectionState"] != state:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        return found

    async def failure(self, arn: str, delivery: HttpDelivery | None = None) -> HttpTargetError:
        with pytest.raises(HttpTargetError) as caught:
            await self.made.deliveries.deliver(arn, delivery or HttpDelivery(b"{}"))
        return caught.value


@pytest.fixture
async def api(open_store: Any, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Api]:
    made = Api(await open_store("mayfly.services.events"), clock, FileVault(tmp_path / "secrets.key"))
    made.made._authorizer._between_s = 0.0
    task = asyncio.create_task(made.made.run())
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_connection_shows_everything_but_its_secrets(api: Api) -> None:
    invocation = {
        "HeaderParameters": [
            {"Key": "X-Open", "Value": "seen", "IsValueSecret": False},
            {"Key": "X-Secret", "Value": "unseen", "IsValueSecret": True},
        ]
    }
    auth = {**BASIC["AuthParameters"], "InvocationHttpParameters": invocation}  # type: ignore[dict-item]
    made = await api.call("CreateConnection", Name="c", Description="mine", **{**BASIC, "AuthParameters": auth})
    assert made["ConnectionState"] == "AUTHORIZED"
    found = await api.call("DescribeConnection", Name="c")
    assert found["AuthParameters"] == {
        "BasicAuthParameters": {"Username": "u"},
        "InvocationHttpParameters": {
            "HeaderParameters": [
                {"Key": "X-Open", "Value": "seen", "IsValueSecret": False},
                {"Key": "X-Secret", "IsValueSecret": True},
            ]
        },
    }
    assert found["Description"] == "mine"
    assert found["ConnectionArn"].endswith(":connection/c/0000-1")


async def test_nothing_secret_is_in_the_database_as_it_is(api: Api, tmp_path: Path) -> None:
    await api.call(
        "CreateConnection",
        Name="c",
        AuthorizationType="API_KEY",
        AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "very-secret-indeed"}},
    )
    await api.store.close()
    kept = await asyncio.to_thread(lambda: b"".join(path.read_bytes() for path in tmp_path.glob("mayfly.db*")))
    assert kept
    assert b"very-secret-indeed" not in kept
    assert (tmp_path / "secrets.key").stat().st_mode & 0o777 == 0o600


def test_a_secret_is_good_for_its_own_use_and_key_alone(tmp_path: Path) -> None:
    vault = FileVault(tmp_path / "key")
    sealed = vault.seal(b"hush", "arn:one")
    assert FileVault(tmp_path / "key").open(sealed, "arn:one") == b"hush"
    assert vault.seal(b"hush", "arn:one") != sealed
    with pytest.raises(SecretLostError):
        vault.open(sealed, "arn:two")
    (tmp_path / "key").write_bytes(bytes(32))
    with pytest.raises(SecretLostError):
        FileVault(tmp_path / "key").open(sealed, "arn:one")


async def test_a_request_has_what_the_rule_and_the_connection_add_and_the_connection_wins(api: Api) -> None:
    auth = {
        **BASIC["AuthParameters"],  # type: ignore[dict-item]
        "InvocationHttpParameters": {
            "HeaderParameters": [{"Key": "x-both", "Value": "connection", "IsValueSecret": True}],
            "QueryStringParameters": [{"Key": "q", "Value": "a b", "IsValueSecret": True}],
            "BodyParameters": [{"Key": "tenant", "Value": "t1", "IsValueSecret": True}],
        },
    }
    arn = await api.destination({**BASIC, "AuthParameters": auth}, "https://api.example/v1/*/items/*?z=1")
    delivery = HttpDelivery(b'{"n": 1}', ("eu/1", "7"), {"X-Both": "rule", "X-Rule": "r"}, {"q": "rule", "p": "2"})
    await api.made.deliveries.deliver(arn, delivery)
    (request,) = api.web.got
    assert request.url == "https://api.example/v1/eu%2F1/items/7?z=1&q=a%20b&p=2"
    assert json.loads(request.body) == {"n": 1, "tenant": "t1"}
    assert api.web.last["x-both"] == "connection"
    assert api.web.last["x-rule"] == "r"
    assert api.web.last["authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    assert api.web.last["content-type"] == "application/json; charset=utf-8"
    assert request.timeout_s == 5.0


@pytest.mark.parametrize("name", ["Host", "transfer-encoding", "Content-Length"])
async def test_a_rule_does_not_write_what_frames_a_request(api: Api, name: str) -> None:
    arn = await api.destination(BASIC)
    error = await api.failure(arn, HttpDelivery(b"{}", (), {name: "x"}))
    assert (error.code, error.retry) == ("INVALID_PARAMETER", False)
    assert api.web.got == []


async def test_path_parameters_must_be_there_and_cannot_leave_their_place(api: Api) -> None:
    arn = await api.destination(BASIC, "https://api.example/*/x")
    for values in ((), ("..",)):
        error = await api.failure(arn, HttpDelivery(b"{}", values))
        assert (error.code, error.retry) == ("INVALID_PARAMETER", False)
    assert api.web.got == []


async def test_a_token_is_asked_for_once_and_again_when_an_endpoint_rejects_it(api: Api) -> None:
    arn = await api.destination(OAUTH)
    await api.until("AUTHORIZED")
    (asked,) = api.web.got
    assert asked.body == b"grant_type=client_credentials&client_id=id&client_secret=hush&audience=all"
    assert ("X-Key", "k") in asked.headers
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    assert api.web.last["authorization"] == "Bearer token-1"
    assert len(api.web.got) == 3
    fresh = json.dumps({"access_token": "token-2"}).encode()
    api.web.answers = [Response(401, (), b""), Response(200, (), fresh), Response(200, (), b"")]
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    assert api.web.last["authorization"] == "Bearer token-2"
    assert len(api.web.got) == 6


async def test_a_token_is_replaced_before_it_expires(api: Api) -> None:
    arn = await api.destination(OAUTH)
    await api.until("AUTHORIZED")
    api.clock.advance(3539)
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    assert api.web.last["authorization"] == "Bearer token-1"
    api.clock.advance(2)
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    assert api.web.last["authorization"] == "Bearer token-2"


async def test_a_connection_whose_client_is_refused_is_not_authorized_and_says_why(api: Api) -> None:
    api.web.answers = [Response(401, (), b"")]
    arn = await api.destination(OAUTH)
    found = await api.until("DEAUTHORIZED")
    assert found["StateReason"] == "the authorization endpoint answered 401"
    assert (await api.call("DescribeApiDestination", Name="d"))["ApiDestinationState"] == "INACTIVE"
    error = await api.failure(arn)
    assert (error.code, error.retry) == ("NO_PERMISSIONS", False)


async def test_a_connection_outlives_an_authorization_endpoint_that_is_down_for_a_moment(api: Api) -> None:
    fresh = json.dumps({"access_token": "t"}).encode()
    api.web.answers = [Response(503, (), b""), OutgoingError("timeout", "late"), Response(200, (), fresh)]
    await api.call("CreateConnection", Name="c", **OAUTH)
    await api.until("AUTHORIZED")
    assert len(api.web.got) == connection_authorizer.ATTEMPTS


async def test_a_connection_that_waited_when_the_server_died_is_authorized_by_the_next(
    open_store: Any, clock: ManualClock, tmp_path: Path
) -> None:
    store, vault = await open_store("mayfly.services.events"), FileVault(tmp_path / "secrets.key")
    assert (await Api(store, clock, vault).call("CreateConnection", Name="c", **OAUTH))["ConnectionState"] == (
        "AUTHORIZING"
    )
    again = Api(store, clock, FileVault(tmp_path / "secrets.key"))
    task = asyncio.create_task(again.made.run())
    assert "LastAuthorizedTime" in await again.until("AUTHORIZED")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_an_update_keeps_what_it_does_not_say_and_forgets_the_token(api: Api) -> None:
    arn = await api.destination(OAUTH)
    await api.until("AUTHORIZED")
    client = {"OAuthParameters": {"ClientParameters": {"ClientSecret": "new"}}}
    updated = await api.call("UpdateConnection", Name="c", AuthParameters=client)
    assert updated["ConnectionState"] == "AUTHORIZING"
    await api.until("AUTHORIZED")
    assert api.web.got[-1].body == b"grant_type=client_credentials&client_id=id&client_secret=new&audience=all"
    assert ("X-Key", "k") in api.web.got[-1].headers
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    assert api.web.last["authorization"] == "Bearer token-2"


async def test_a_deauthorized_connection_sends_nothing_until_it_is_updated(api: Api) -> None:
    arn = await api.destination(BASIC)
    assert (await api.call("DeauthorizeConnection", Name="c"))["ConnectionState"] == "DEAUTHORIZED"
    assert (await api.failure(arn)).retry is False
    assert api.web.got == []
    await api.call("UpdateConnection", Name="c", AuthParameters={"BasicAuthParameters": {"Password": "p2"}})
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    assert api.web.last["authorization"] == "Basic " + base64.b64encode(b"u:p2").decode()


@pytest.mark.parametrize(
    ("answer", "code", "again", "after_s"),
    [
        (Response(400, (), b"no"), "SDK_CLIENT_ERROR", False, None),
        (Response(302, (("location", "https://x/"),), b""), "SDK_CLIENT_ERROR", False, None),
        (Response(401, (), b""), "SDK_CLIENT_ERROR", True, None),
        (Response(409, (), b""), "SDK_CLIENT_ERROR", True, None),
        (Response(429, (("retry-after", "30"),), b""), "SDK_CLIENT_ERROR", True, 30.0),
        (Response(503, (("retry-after", "Tue, 14 Nov 2023 22:14:20 GMT"),), b""), "ERROR_FROM_TARGET", True, 59.0),
        (OutgoingError("timeout", "late"), "TIMEOUT", True, None),
        (OutgoingError("unreachable", "nobody"), "CONNECTION_FAILURE", True, None),
        (OutgoingError("refused", "not there"), "NO_PERMISSIONS", False, None),
    ],
)
async def test_answers_mean_what_eventbridge_makes_of_them(
    api: Api, answer: Response | OutgoingError, code: str, again: bool, after_s: float | None
) -> None:
    arn = await api.destination(BASIC)
    api.web.answers = [answer]
    error = await api.failure(arn)
    assert (error.code, error.retry, error.after_s) == (code, again, after_s)


async def test_a_destination_that_is_gone_or_another_of_its_name_is_no_target(api: Api) -> None:
    arn = await api.destination(BASIC)
    assert await api.store.read(lambda reader: api.made.deliveries.exists(reader, arn))
    await api.call("DeleteApiDestination", Name="d")
    assert (await api.failure(arn)).code == "NO_RESOURCE"
    found = await api.call("DescribeConnection", Name="c")
    request = {"ConnectionArn": found["ConnectionArn"], "InvocationEndpoint": "https://x/", "HttpMethod": "PUT"}
    await api.call("CreateApiDestination", Name="d", **request)
    assert not await api.store.read(lambda reader: api.made.deliveries.exists(reader, arn))


async def test_calls_keep_the_limit_of_a_destination_and_make_room_when_it_is_far_behind(api: Api) -> None:
    arn = await api.destination(BASIC, InvocationRateLimitPerSecond=2)
    for _ in range(6):
        await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    # The first waits for what may have been sent before a restart.
    assert api.slept == [1.0, 1.0, 1.0]
    forever = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await forever.wait()

    api.made.deliveries._sleep = sleep
    waiting = {asyncio.create_task(api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))) for _ in range(40)}
    late: list[BaseException | None] = []
    while len(waiting) > 4:  # two in each of the next two seconds
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        late += [task.exception() for task in done]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(error, HttpTargetError) and error.code == "THROTTLING" for error in late)
    assert all(isinstance(error, HttpTargetError) and error.retry and not error.counted for error in late)
    assert {error.after_s for error in late if isinstance(error, HttpTargetError)} == {3.0}


async def test_a_destination_that_was_not_called_for_a_while_is_called_at_once(api: Api) -> None:
    arn = await api.destination(BASIC, InvocationRateLimitPerSecond=1)
    api.clock.advance(60)
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    api.clock.advance(60)
    await api.made.deliveries.deliver(arn, HttpDelivery(b"{}"))
    assert api.slept == []


@pytest.mark.parametrize("rate", [1, 3, 50])
def test_no_second_has_more_calls_than_the_limit_whatever_their_times(rate: int) -> None:
    pace, now = Pace(rate, 0.0), 0.0
    begun: list[float] = []
    for step in range(400):
        turn = pace.reserve(now, 1e9)
        assert turn is not None
        # Now and then a call begins later than it might: what follows it keeps its distance from that.
        late = 0.3 if step % 37 == 0 else 0.0
        begins = max(now + turn.left_s(now) + late, begun[-1] if begun else 0.0)
        assert turn.left_s(begins) <= 1e-9
        turn.begin(begins)
        begun.append(begins)
        now += (step * 7919 % 13) / 100
    assert begun[0] >= 1.0
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(begun, begun[rate:], strict=False))


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("120", 0) == 120.0
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 30) == 30.0
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT", 30) == 0.0
    assert retry_after("soon", 0) is None
    assert retry_after(None, 0) is None


async def test_lists_go_on_after_a_page_and_keep_to_a_state_or_a_connection(api: Api) -> None:
    for name in ("c1", "c2", "x3"):
        made = await api.call("CreateConnection", Name=name, **BASIC)
        request = {"ConnectionArn": made["ConnectionArn"], "InvocationEndpoint": "https://x/", "HttpMethod": "PUT"}
        await api.call("CreateApiDestination", Name=f"d-{name}", **request)
    await api.call("DeauthorizeConnection", Name="c2")
    first = await api.call("ListConnections", Limit=2)
    second = await api.call("ListConnections", Limit=2, NextToken=first["NextToken"])
    assert [one["Name"] for one in first["Connections"] + second["Connections"]] == ["c1", "c2", "x3"]
    some = await api.call("ListConnections", ConnectionState="AUTHORIZED", NamePrefix="c")
    assert [one["Name"] for one in some["Connections"]] == ["c1"]
    of = await api.call("ListApiDestinations", ConnectionArn=made["ConnectionArn"])
    assert [one["Name"] for one in of["ApiDestinations"]] == ["d-x3"]


@pytest.mark.parametrize(
    ("name", "request_", "code"),
    [
        ("CreateConnection", {"Name": "c", **BASIC, "AuthorizationType": "API_KEY"}, "ValidationException"),
        ("CreateConnection", {"Name": "c", **BASIC, "KmsKeyIdentifier": "k"}, "ValidationException"),
        (
            "CreateConnection",
            {
                "Name": "c",
                "AuthorizationType": "API_KEY",
                "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "Host", "ApiKeyValue": "v"}},
            },
            "ValidationException",
        ),
        ("DescribeConnection", {"Name": "none"}, "ResourceNotFoundException"),
        ("DeleteApiDestination", {"Name": "none"}, "ResourceNotFoundException"),
        (
            "CreateApiDestination",
            {"Name": "d", "ConnectionArn": "arn:x", "InvocationEndpoint": "https://x/", "HttpMethod": "PUT"},
            "ResourceNotFoundException",
        ),
        (
            "CreateApiDestination",
            {"Name": "d", "ConnectionArn": "arn:x", "InvocationEndpoint": "ftp://x/", "HttpMethod": "PUT"},
            "ValidationException",
        ),
    ],
)
async def test_what_cannot_be_is_refused(api: Api, name: str, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        await api.call(name, **request_)
    assert caught.value.code == code


@pytest.mark.parametrize("url", ["https://*/x", "https://*.example/x", "https://u:*@api.example/", "http://*:80?a"])
async def test_who_sends_an_event_does_not_choose_whom_it_reaches(api: Api, url: str) -> None:
    with pytest.raises(ServiceError, match="in the path only"):
        await api.destination(BASIC, url)


async def test_a_name_that_is_taken_stays_as_it_is(api: Api) -> None:
    await api.destination(BASIC)
    with pytest.raises(ServiceError, match="already exists"):
        await api.call("CreateConnection", Name="c", **BASIC)
