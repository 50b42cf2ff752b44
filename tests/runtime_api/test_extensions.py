"""The Extensions API, clause by clause."""

import pytest

from mayfly.runtime_api.extensions import MOST_EXTENSIONS, Metadata

from .conftest import EXTENSION, Answer, Client, Heard, Stage, invocation


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["errorType"]


async def registered(stage: Stage, name: str, *events: str) -> tuple[Client, str]:
    client = await stage.client()
    answer = await client.register(name, *events)
    assert answer.status == 200, answer
    return client, answer.headers["lambda-extension-identifier"]


async def test_an_external_extension_registers_by_the_name_of_its_file(stage: Stage, heard: Heard) -> None:
    stage.api.extensions.metadata = Metadata("f", "$LATEST", "app.handler", "000000000000")
    stage.api.extensions.expect(["outer", "other"])
    client = await stage.client()

    answer = await client.register("outer", "INVOKE", "SHUTDOWN")

    assert (answer.status, answer.json) == (
        200,
        {"functionName": "f", "functionVersion": "$LATEST", "handler": "app.handler"},
    )
    assert len(answer.headers["lambda-extension-identifier"]) == 36
    assert heard.events == [("registered",)]
    assert not stage.api.extensions.all_registered
    await client.register("other")
    assert stage.api.extensions.all_registered


async def test_the_account_is_told_to_those_that_ask_for_it(stage: Stage) -> None:
    stage.api.extensions.metadata = Metadata("f", "1", "h", "123456789012")
    client = await stage.client()

    answer = await client.register("a", "INVOKE", Lambda_Extension_Accept_Feature="other, accountId")

    assert answer.json["accountId"] == "123456789012"


async def test_any_other_name_is_an_internal_extension_which_knows_no_shutdown(stage: Stage) -> None:
    stage.api.extensions.expect(["outer"])
    client = await stage.client()

    assert refusal(await client.register("inner", "SHUTDOWN")) == (403, "Extension.InvalidEventType")
    assert (await client.register("inner", "INVOKE")).status == 200
    assert {one.name: one.external for one in stage.api.extensions.known} == {"outer": True, "inner": False}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "InvalidRequestFormat"),
        (b"[]", "InvalidRequestFormat"),
        (b'{"events": 1}', "InvalidRequestFormat"),
        (b'{"events": ["INVOKE", "RESTORE"]}', "Extension.InvalidEventType"),
        (b'{"events": [], "configurationKeys": ["a"]}', "InvalidRequestFormat"),
    ],
)
async def test_what_is_no_registration_is_refused(stage: Stage, body: bytes, error: str) -> None:
    client = await stage.client()

    answer = await client.ask("POST", f"{EXTENSION}/register", body, Lambda_Extension_Name="a")

    assert refusal(answer) == (403, error)
    assert stage.api.extensions.known == []


async def test_an_extension_says_its_name(stage: Stage) -> None:
    client = await stage.client()

    answer = await client.ask("POST", f"{EXTENSION}/register", b'{"events": []}')

    assert refusal(answer) == (403, "Extension.InvalidExtensionName")


async def test_nobody_registers_twice(stage: Stage) -> None:
    stage.api.extensions.expect(["outer"])
    client = await stage.client()
    await client.register("outer")
    await client.register("inner")

    assert refusal(await client.register("outer")) == (403, "Extension.InvalidExtensionState")
    assert refusal(await client.register("inner")) == (403, "Extension.InvalidExtensionState")


async def test_there_are_ten_extensions_at_most(stage: Stage) -> None:
    client = await stage.client()
    for number in range(MOST_EXTENSIONS):
        assert (await client.register(f"e{number}")).status == 200

    assert refusal(await client.register("one-more")) == (403, "Extension.TooManyExtensions")


async def test_nobody_registers_when_init_is_over(stage: Stage) -> None:
    stage.api.extensions.close_registration()
    client = await stage.client()

    assert refusal(await client.register("late")) == (403, "Extension.RegistrationClosed")


async def test_a_call_is_told_to_those_that_want_to_know(stage: Stage, heard: Heard) -> None:
    stage.api.extensions.expect(["quiet"])
    told, first = await registered(stage, "told", "INVOKE")
    quiet, second = await registered(stage, "quiet", "SHUTDOWN")
    told.poll(first)
    quiet.poll(second)
    await heard.until(4)
    assert stage.api.extensions.all_ready

    stage.api.invoke(invocation("r-1", trace_id="Root=1"))
    answer = await told.receive()

    assert answer.json == {
        "eventType": "INVOKE",
        "deadlineMs": 1_700_000_000_123,
        "requestId": "r-1",
        "invokedFunctionArn": "arn:of:it",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"},
    }
    assert len(answer.headers["lambda-extension-event-identifier"]) == 36
    assert not stage.api.extensions.all_ready
    told.poll(first)
    await heard.until(5)
    assert stage.api.extensions.all_ready
    stage.api.extensions.shut_down("SPINDOWN", 42)
    assert (await quiet.receive()).json == {"eventType": "SHUTDOWN", "shutdownReason": "SPINDOWN", "deadlineMs": 42}


async def test_an_event_waits_for_an_extension_that_is_busy(stage: Stage) -> None:
    client, identifier = await registered(stage, "a", "INVOKE")
    stage.api.invoke(invocation("r1"))
    stage.api.invoke(invocation("r2"))

    events = []
    for _ in range(2):
        client.poll(identifier)
        events.append((await client.receive()).json["requestId"])

    assert events == ["r1", "r2"]


@pytest.mark.parametrize(
    ("identifier", "error"),
    [
        ("", "Extension.MissingExtensionIdentifier"),
        ("me", "Extension.InvalidExtensionIdentifier"),
        ("00000000-0000-4000-8000-999999999999", "Extension.UnknownExtensionIdentifier"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/event/next"), ("POST", "/init/error"), ("POST", "/exit/error")])
async def test_who_does_not_say_who_it_is_is_refused(
    stage: Stage, identifier: str, error: str, method: str, path: str
) -> None:
    client = await stage.client()

    answer = await client.ask(method, f"{EXTENSION}{path}", Lambda_Extension_Identifier=identifier)

    assert refusal(answer) == (403, error)


async def test_an_identifier_is_of_use_when_its_owner_has_registered(stage: Stage) -> None:
    stage.api.extensions.expect(["outer"])
    client = await stage.client()
    client.poll(stage.api.extensions.known[0].id)

    assert refusal(await client.receive()) == (403, "Extension.UnknownExtensionIdentifier")


async def test_an_extension_may_say_that_its_init_failed(stage: Stage) -> None:
    client, identifier = await registered(stage, "a")
    path, who = f"{EXTENSION}/init/error", {"Lambda_Extension_Identifier": identifier}
    assert refusal(await client.ask("POST", path, b"{}", **who)) == (403, "Extension.MissingHeader")

    answer = await client.ask("POST", path, b"{}", Lambda_Extension_Function_Error_Type="Extension.NoKey", **who)

    assert (answer.status, answer.json) == (202, {"status": "OK"})
    (one,) = stage.api.extensions.known
    assert (one.state.value, one.error_type) == ("InitError", "Extension.NoKey")
    client.poll(identifier)
    assert refusal(await client.receive()) == (403, "Extension.InvalidExtensionState")


async def test_an_extension_may_say_that_it_fails(stage: Stage, heard: Heard) -> None:
    client, identifier = await registered(stage, "a", "INVOKE")
    client.poll(identifier)
    await heard.until(2)
    other = await stage.client()
    who = {"Lambda_Extension_Identifier": identifier, "Lambda_Extension_Function_Error_Type": "Extension.Full"}
    assert refusal(await other.ask("POST", f"{EXTENSION}/init/error", b"", **who)) == (
        403,
        "Extension.InvalidExtensionState",
    )

    assert (await other.ask("POST", f"{EXTENSION}/exit/error", b"", **who)).status == 202
    assert stage.api.extensions.known[0].state.value == "ExitError"
