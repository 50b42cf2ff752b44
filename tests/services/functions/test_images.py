"""Functions from container images: what they answer, and their states from Pending on."""

import asyncio
import hashlib
from typing import Any

import msgspec
import pytest

from mayfly.images import errors
from mayfly.images.service import Resolved
from mayfly.services.functions import image_code, settling
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.services.functions.model import Code, Configuration, Function, ImageCode, Update
from tests.images.builder import ELSEWHERE, Layer, LayoutBuilder, layer
from tests.services.functions.stage import ARN, ROLE, Stage, ok, zipped

HELLO = layer(("hello", b"hello"))


@pytest.fixture
def layout(stage: Stage) -> LayoutBuilder:
    return LayoutBuilder(stage.data / "allowed" / "layout")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other without a pause."""
    monkeypatch.setattr(image_code, "PAUSES_S", (0.0, 0.0))


@pytest.fixture
def hold(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """No image is made ready before this is set."""
    event = asyncio.Event()
    prepare = stage.images.prepare

    async def held(resolved: Resolved) -> Any:
        await event.wait()
        return await prepare(resolved)

    monkeypatch.setattr(stage.images, "prepare", held)
    return event


def tagged(layout: LayoutBuilder, *layers: Layer, tag: str = "v1", **process: Any) -> tuple[str, str]:
    """Put an image into the layout; its URI and digest."""
    digest = layout.tag(tag, layout.image(layers or (HELLO,), process or {"Cmd": ["/hello"]}))
    return f"oci:{layout.root}:{tag}", digest.removeprefix("sha256:")


async def create(stage: Stage, uri: str, name: str = "f", **params: Any) -> Any:
    return await stage.call(
        "CreateFunction", FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri}, **params
    )


async def settled(stage: Stage, name: str = "f", **which: Any) -> Any:
    """GetFunctionConfiguration once nothing is under way."""
    async with asyncio.timeout(60):
        while True:
            found = await stage.call("GetFunctionConfiguration", FunctionName=name, **which)
            if found["State"] != "Pending" and found.get("LastUpdateStatus") != "InProgress":
                return found
            await asyncio.sleep(0.01)


async def target_of(stage: Stage, **which: Any) -> FunctionTarget:
    """What a call of the function runs on."""
    await stage.call("Invoke", FunctionName="f", **which)
    target = stage.engine.calls[-1][0]
    assert isinstance(target, FunctionTarget)
    return target


async def test_a_function_is_pending_until_its_image_is_unpacked(
    stage: Stage, layout: LayoutBuilder, hold: asyncio.Event
) -> None:
    uri, digest = tagged(layout)
    made = await create(stage, uri)
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    assert made["StateReason"] == "The function is being created."
    assert (made["PackageType"], made["CodeSize"], made["CodeSha256"]) == ("Image", 0, digest)
    assert not {"Runtime", "Handler", "RuntimeVersionConfig", "LastUpdateStatus", "ImageConfigResponse"} & made.keys()
    refused = await stage.refusal("Invoke", FunctionName="f")
    assert (refused.code, refused.status) == ("ResourceConflictException", 409)
    assert refused.message.endswith("The function is currently in the following state: Pending")
    hold.set()
    found = await settled(stage)
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")
    assert "StateReason" not in found
    stage.engine.script = lambda target, call: ok(b'"hi"')
    assert (await stage.call("Invoke", FunctionName="f"))["Payload"] == b'"hi"'


async def test_get_function_answers_the_image_and_the_digest_that_it_is_pinned_to(
    stage: Stage, layout: LayoutBuilder
) -> None:
    uri, digest = tagged(layout)
    await create(stage, uri)
    await settled(stage)
    tagged(layout, layer(("hello", b"other")))
    found = await stage.call("GetFunction", FunctionName="f")
    assert found["Code"] == {
        "RepositoryType": "ECR",
        "ImageUri": uri,
        "ResolvedImageUri": f"oci:{layout.root}@sha256:{digest}",
    }


async def test_the_image_says_what_runs_where_and_with_which_variables(stage: Stage, layout: LayoutBuilder) -> None:
    uri, digest = tagged(
        layout,
        Entrypoint=["/lambda-entrypoint.sh"],
        Cmd=["app.handler"],
        WorkingDir="/var/task",
        Env=["A=image", "B=image", "LAMBDA_TASK_ROOT=/var/task", "AWS_REGION=elsewhere"],
        User="1000",
    )
    await create(stage, uri, Environment={"Variables": {"B": "function"}})
    await settled(stage)
    target = await target_of(stage)
    assert target.command == ("/lambda-entrypoint.sh", "app.handler")
    assert (target.contract, target.directory) == ("program", "/var/task")
    assert (target.sandbox.program, target.sandbox.root) == (True, stage.images.root(digest))
    environment = await target.environment("i-1")
    shown = {name: environment.get(name) for name in ("A", "B", "LAMBDA_TASK_ROOT", "AWS_REGION", "AWS_EXECUTION_ENV")}
    assert shown == {
        "A": "image",
        "B": "function",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": None,
    }
    assert "_HANDLER" not in environment
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "f"


async def test_image_config_goes_before_what_the_image_says_and_can_be_taken_back(
    stage: Stage, layout: LayoutBuilder
) -> None:
    uri, _ = tagged(layout, Entrypoint=["/entry"], Cmd=["one"], WorkingDir="/w")
    config = {"EntryPoint": ["/other", "-x"], "Command": ["two"], "WorkingDirectory": "/tmp"}
    await create(stage, uri, ImageConfig=config)
    assert (await settled(stage))["ImageConfigResponse"] == {"ImageConfig": config}
    target = await target_of(stage)
    assert (target.command, target.directory) == (("/other", "-x", "two"), "/tmp")
    changed = await stage.call("UpdateFunctionConfiguration", FunctionName="f", ImageConfig={"Command": ["three"]})
    assert changed["ImageConfigResponse"] == {"ImageConfig": {"Command": ["three"]}}
    target = await target_of(stage)
    assert (target.command, target.directory) == (("/entry", "three"), "/w")
    assert "ImageConfigResponse" not in await stage.call(
        "UpdateFunctionConfiguration", FunctionName="f", ImageConfig={}
    )
    assert (await target_of(stage)).command == ("/entry", "one")


async def test_a_function_shows_how_far_its_image_is(
    stage: Stage, layout: LayoutBuilder, hold: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.images, "progress", lambda digest: "unpacking layer 2 of 5")
    await create(stage, tagged(layout)[0])
    (latest,) = await stage.functions.deployments.of("f")
    assert (latest.state, latest.state_reason) == (
        "Pending",
        "The function is being created. (unpacking layer 2 of 5)",
    )
    hold.set()
    await settled(stage)
    (latest,) = await stage.functions.deployments.of("f")
    assert (latest.state, latest.state_reason) == ("Active", None)


async def test_the_old_image_runs_until_the_new_one_is_ready(
    stage: Stage, layout: LayoutBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = tagged(layout)
    await create(stage, first)
    await settled(stage)
    second, other = tagged(layout, layer(("hello", b"other")), tag="v2", Cmd=["/second"])
    event = asyncio.Event()
    prepare = stage.images.prepare

    async def held(resolved: Resolved) -> Any:
        if resolved.digest == other:
            await event.wait()
        return await prepare(resolved)

    monkeypatch.setattr(stage.images, "prepare", held)
    updated = await stage.call("UpdateFunctionCode", FunctionName="f", ImageUri=second)
    assert (updated["State"], updated["LastUpdateStatus"], updated["CodeSha256"]) == ("Active", "InProgress", other)
    assert updated["LastUpdateStatusReasonCode"] == "Creating"
    assert (await target_of(stage)).command == ("/hello",)
    for operation, params in (
        ("UpdateFunctionCode", {"ImageUri": first}),
        ("UpdateFunctionConfiguration", {"Timeout": 9}),
        ("PublishVersion", {}),
    ):
        refused = await stage.refusal(operation, FunctionName="f", **params)
        assert refused.code == "ResourceConflictException"
        assert refused.message.endswith(f"An update is in progress for resource: {ARN}f")
    event.set()
    found = await settled(stage)
    assert (found["LastUpdateStatus"], found["CodeSha256"]) == ("Successful", other)
    assert (await target_of(stage)).command == ("/second",)


async def test_an_image_that_cannot_be_run_leaves_the_old_one_in_place(stage: Stage, layout: LayoutBuilder) -> None:
    first, digest = tagged(layout)
    await create(stage, first)
    await settled(stage)
    broken = layer(("hello", b"1"))
    broken.stored = b"this is no layer"
    second, _ = tagged(layout, broken, tag="v2")
    await stage.call("UpdateFunctionCode", FunctionName="f", ImageUri=second)
    found = await settled(stage)
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Failed")
    assert (found["LastUpdateStatusReasonCode"], found["CodeSha256"]) == ("InvalidImage", digest)
    layer_digest = hashlib.sha256(broken.stored).hexdigest()
    assert found["LastUpdateStatusReason"].startswith(
        f"ImageLayerFailure: UnsupportedImageLayerDetected - Layer Digest sha256:{layer_digest}"
    )
    assert (await target_of(stage)).command == ("/hello",)
    await stage.call("UpdateFunctionCode", FunctionName="f", ImageUri=first)
    assert (await settled(stage))["LastUpdateStatus"] == "Successful"


async def test_a_function_whose_first_image_cannot_be_run_has_failed_until_it_gets_another(
    stage: Stage, layout: LayoutBuilder
) -> None:
    broken = layer(("hello", b"1"))
    broken.stored = b"this is no layer"
    uri, _ = tagged(layout, broken)
    made = await create(stage, uri, Publish=True)
    found = await settled(stage)
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "InvalidImage")
    version = await settled(stage, Qualifier=made["Version"])
    assert (version["State"], version["StateReasonCode"]) == ("Failed", "InvalidImage")
    refused = await stage.refusal("Invoke", FunctionName="f")
    assert refused.message.endswith("The function is currently in the following state: Failed")
    good, _ = tagged(layout)
    updated = await stage.call("UpdateFunctionCode", FunctionName="f", ImageUri=good)
    assert updated["State"] == "Pending"
    assert (await settled(stage))["State"] == "Active"


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("ImageNotFoundError", "ImageDeleted"),
        ("ImageDeniedError", "ImageAccessDenied"),
        ("WrongArchitectureError", "InvalidImage"),
        ("ImageTooLargeError", "InvalidImage"),
        ("ImagesUnavailableError", "InternalError"),
    ],
)
async def test_what_goes_wrong_later_is_the_reason_of_the_state(
    stage: Stage, layout: LayoutBuilder, monkeypatch: pytest.MonkeyPatch, trouble: str, code: str
) -> None:
    attempts = 0

    async def fails(resolved: Resolved) -> Any:
        nonlocal attempts
        attempts += 1
        raise getattr(errors, trouble)("this is why")

    monkeypatch.setattr(stage.images, "prepare", fails)
    await create(stage, tagged(layout)[0])
    found = await settled(stage)
    assert (found["State"], found["StateReasonCode"]) == ("Failed", code)
    assert "this is why" in found["StateReason"]
    assert attempts == (3 if code == "InternalError" else 1)


async def test_versions_are_pinned_and_keep_their_image(stage: Stage, layout: LayoutBuilder) -> None:
    first, digest = tagged(layout)
    made = await create(stage, first, Publish=True)
    assert (made["Version"], made["State"]) == ("1", "Pending")
    await settled(stage)
    assert (await settled(stage, Qualifier="1"))["State"] == "Active"
    second, other = tagged(layout, layer(("hello", b"other")), Cmd=["/second"])
    assert second == first
    updated = await stage.call("UpdateFunctionCode", FunctionName="f", ImageUri=second, Publish=True)
    assert (updated["Version"], updated["CodeSha256"]) == ("2", other)
    await settled(stage)
    assert (await settled(stage, Qualifier="2"))["State"] == "Active"
    await stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    assert (await target_of(stage, Qualifier="live")).command == ("/hello",)
    assert (await target_of(stage, Qualifier="2")).command == ("/second",)
    pinned = (await stage.call("GetFunction", FunctionName="f", Qualifier="1"))["Code"]["ResolvedImageUri"]
    assert pinned.endswith(f"@sha256:{digest}")
    assert await stage.functions.sweep(0.0) == 0
    assert stage.images.root(digest).is_dir()
    again = await stage.call("PublishVersion", FunctionName="f")
    assert again["Version"] == "2"


async def test_publishing_an_active_function_gives_an_active_version(stage: Stage, layout: LayoutBuilder) -> None:
    await create(stage, tagged(layout)[0])
    await settled(stage)
    published = await stage.call("PublishVersion", FunctionName="f")
    assert (published["Version"], published["State"]) == ("1", "Active")


async def test_images_go_with_the_last_function_that_uses_them(stage: Stage, layout: LayoutBuilder) -> None:
    uri, digest = tagged(layout)
    for name in ("f", "g"):
        await create(stage, uri, name)
        await settled(stage, name)
    await stage.call("DeleteFunction", FunctionName="f")
    await stage.functions.sweep(0.0)
    assert stage.images.root(digest).is_dir()
    await stage.call("DeleteFunction", FunctionName="g")
    await stage.functions.sweep(0.0)
    assert not stage.images.root(digest).exists()


async def test_the_next_server_takes_up_what_is_pending(
    stage: Stage, layout: LayoutBuilder, hold: asyncio.Event
) -> None:
    uri, _ = tagged(layout)
    made = await create(stage, uri, Publish=True)
    await stage.stop()
    hold.set()
    again = Stage(stage.data, stage.store, stage.clock)
    await again.start()
    try:
        assert (await settled(again))["State"] == "Active"
        assert (await settled(again, Qualifier=made["Version"]))["State"] == "Active"
    finally:
        await again.stop()


async def test_an_image_that_was_lost_is_unpacked_before_the_next_call(stage: Stage, layout: LayoutBuilder) -> None:
    uri, digest = tagged(layout)
    await create(stage, uri)
    await settled(stage)
    await stage.images._trees.remove_root(digest)
    await target_of(stage)
    assert (stage.images.root(digest) / "hello").read_bytes() == b"hello"


async def test_a_dry_run_changes_nothing(stage: Stage, layout: LayoutBuilder) -> None:
    first, digest = tagged(layout)
    await create(stage, first)
    await settled(stage)
    second, other = tagged(layout, layer(("hello", b"other")), tag="v2")
    shown = await stage.call("UpdateFunctionCode", FunctionName="f", ImageUri=second, DryRun=True)
    assert shown["CodeSha256"] == other
    assert (await settled(stage))["CodeSha256"] == digest


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no image": ({"Code": {"ZipFile": zipped()}}, "Please provide a source for function code."),
    "a package and an image": ({"PackageType": "Zip"}, "Runtime and Handler are mandatory parameters"),
    "a runtime": ({"Runtime": "python3.11"}, "not supported for functions created with container images"),
    "a handler": ({"Handler": "app.handler"}, "not supported for functions created with container images"),
    "layers": ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}, "Lambda layers are not supported"),
    "SnapStart": ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "SnapStart is not supported"),
    "no name": ({"Code": {"ImageUri": "app"}}, "Source image app is not valid. Provide a valid source image."),
    "a name of nothing": (
        {"Code": {"ImageUri": "mayfly.local/nothing:v1"}},
        "Source image mayfly.local/nothing:v1 does not exist. Provide a valid source image.",
    ),
    "a path that is not allowed": ({"Code": {"ImageUri": "oci:/etc:v1"}}, "does not have permission to access"),
}


@pytest.mark.parametrize(("params", "says"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_request_is_refused_that_has(
    stage: Stage, layout: LayoutBuilder, params: dict[str, Any], says: str
) -> None:
    usual = {"FunctionName": "f", "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": tagged(layout)[0]}}
    refused = await stage.refusal("CreateFunction", **{**usual, **params})
    assert says in refused.message
    assert refused.code == ("AccessDeniedException" if "permission" in says else "InvalidParameterValueException")
    assert (await stage.call("ListFunctions"))["Functions"] == []


async def test_an_image_for_another_machine_is_refused_at_once_where_that_is_known(
    stage: Stage, layout: LayoutBuilder
) -> None:
    layout.tag("v1", layout.index((layout.image([HELLO], architecture=ELSEWHERE), ELSEWHERE)))
    refused = await stage.refusal(
        "CreateFunction",
        FunctionName="f",
        Role=ROLE,
        PackageType="Image",
        Code={"ImageUri": f"oci:{layout.root}:v1"},
    )
    assert refused.message.startswith("The image manifest, config or layer media type for the source image")
    assert f"linux/{ELSEWHERE}" in refused.message


async def test_a_function_keeps_its_kind_of_package(stage: Stage, layout: LayoutBuilder) -> None:
    uri, _ = tagged(layout)
    await stage.create("zip")
    await create(stage, uri)
    await settled(stage)
    refused = await stage.refusal("UpdateFunctionCode", FunctionName="zip", ImageUri=uri)
    assert refused.message == "Please don't provide ImageUri when updating a function with packageType Zip."
    refused = await stage.refusal("UpdateFunctionCode", FunctionName="f", ZipFile=zipped())
    assert refused.message == "Please provide ImageUri when updating a function with packageType Image."
    refused = await stage.refusal("UpdateFunctionConfiguration", FunctionName="zip", ImageConfig={"Command": ["x"]})
    assert "ImageConfig is not supported" in refused.message
    refused = await stage.refusal("UpdateFunctionConfiguration", FunctionName="f", Runtime="python3.11")
    assert "not supported for functions created with container images" in refused.message


async def test_lists_show_the_kind_of_package(stage: Stage, layout: LayoutBuilder) -> None:
    await create(stage, tagged(layout)[0])
    (shown,) = (await stage.call("ListFunctions"))["Functions"]
    assert shown["PackageType"] == "Image"
    assert "Runtime" not in shown


def test_settling_is_for_what_is_awaited_still() -> None:
    old, awaited = (Code(digest * 64, 0, 0, ImageCode(f"r.example/{digest}:1", "")) for digest in "ab")
    function = Function("f", Configuration("", "", "role", package="Image"), old, "r", "d", 0.0)
    assert settling.settled(function, awaited, awaited) is function
    waiting = msgspec.structs.replace(function, update=Update(awaited))
    assert settling.settled(waiting, old, old) is waiting
    assert settling.settled(waiting, awaited, awaited).code == awaited
