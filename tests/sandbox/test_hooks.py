"""The runtime hooks of SnapStart, in templates, in instances of them, and in instances that had to start without."""

import json
from pathlib import Path

import pytest

from mayfly.sandbox import frames
from mayfly.sandbox.api import SandboxSpec, TemplateInitError

from . import parcels
from .talk import RUNTIME, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

TYPE = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
ORDERED = """
import snapshot_restore_py as hooks
ORDER = []
for name in "ab":
    hooks.register_before_snapshot(ORDER.append, "before " + name)
    hooks.register_after_restore(ORDER.append, "after " + name)
@hooks.register_before_snapshot
def first():
    ORDER.append("before first")
    hooks.register_before_snapshot(ORDER.append, "before, registered by a hook")
@hooks.register_after_restore
def last(word="last"):
    ORDER.append("after " + word)
    if word == "last":
        hooks.register_after_restore(last, word="all")
"""
BEFORE = ["before first", "before, registered by a hook", "before b", "before a"]
AFTER = ["after a", "after b", "after last", "after all"]
LOOK = "import lab; result = lab.ORDER"


async def prepare(talks: Talks, code: Path, environment: dict[str, str] | None = None) -> None:
    spec = SandboxSpec(RUNTIME, code)
    await talks.factory.prepare_function(str(code), spec, "lab.run", environment or TYPE, None)


async def test_hooks_run_in_their_order(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "", ORDERED)
    await prepare(isolated, code)
    for _ in range(2):
        talk = await isolated.start(code, template=str(code))
        assert (await talk.init(environment=TYPE)).kind == frames.READY
        assert await talk.run(LOOK) == BEFORE + AFTER


async def test_an_instance_without_a_template_runs_them_all(talks: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "", ORDERED)
    talk = await talks.start(code)
    assert (await talk.init(environment=TYPE)).kind == frames.READY
    assert await talk.run(LOOK) == BEFORE + AFTER
    talk = await talks.start(code)
    assert (await talk.init(environment={"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"})).kind == frames.READY
    assert await talk.run(LOOK) == []


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("raise LookupError('nothing there')", "LookupError"),
        ("import sys; sys.exit('nothing there')", "SystemExit"),
        (
            "import snapshot_restore_py as hooks\n@hooks.register_before_snapshot\ndef no():\n"
            "    raise LookupError('nothing there')",
            "LookupError",
        ),
        (
            "import snapshot_restore_py as hooks\n@hooks.register_before_snapshot\ndef no():\n"
            "    raise SystemExit('nothing there')",
            "SystemExit",
        ),
    ],
)
async def test_init_or_a_hook_that_fails_before_the_snapshot_fails_the_version(
    isolated: Talks, tmp_path: Path, source: str, kind: str
) -> None:
    with pytest.raises(TemplateInitError) as raised:
        await prepare(isolated, parcels.make(tmp_path, "", source))
    error = json.loads(raised.value.payload)
    assert (error["errorType"], error["errorMessage"]) == (kind, "nothing there")


@pytest.mark.parametrize("leaving", ["raise LookupError('not there')", "raise SystemExit(3)"])
async def test_a_hook_that_fails_after_the_restore_is_told_apart_from_init(
    isolated: Talks, tmp_path: Path, leaving: str
) -> None:
    source = f"import snapshot_restore_py as hooks\n@hooks.register_after_restore\ndef no():\n    {leaving}"
    code = parcels.make(tmp_path, "", source)
    await prepare(isolated, code)
    for template in (str(code), None):
        talk = await isolated.start(code, template=template)
        answer = await talk.init(environment=TYPE)
        assert (answer.kind, answer.meta["restoring"]) == (frames.INIT_ERROR, True)
        assert json.loads(answer.payload)["errorType"] in leaving
        assert (await talk.sandbox.exited()).code == 1


async def test_clients_that_init_made_use_the_credentials_of_their_instance(isolated: Talks, tmp_path: Path) -> None:
    def credentials(of: str) -> dict[str, str]:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return {**TYPE, **{name: f"{name} of {of}" for name in names}, "AWS_REGION": "us-east-1"}

    source = (
        "import boto3\nfrom botocore.credentials import Credentials\n"
        "CLIENT = boto3.client('sqs', region_name='us-east-1')\n"
        "TABLE = boto3.resource('dynamodb', region_name='us-east-1').Table('t')\n"
        "CLIENT._request_signer._credentials.get_frozen_credentials()\nOTHER = Credentials('another', 'own')\n"
    )
    code = parcels.make(tmp_path, "", source)
    await prepare(isolated, code, credentials("the template"))
    look = (
        "import lab, boto3\nclients = (lab.CLIENT, lab.TABLE.meta.client, boto3.client('s3'))\n"
        "seen = [c._request_signer._credentials.get_frozen_credentials() for c in clients]\n"
        "result = [list({tuple(one)[:3] for one in seen}), lab.OTHER.access_key]"
    )
    for number in "12":
        talk = await isolated.start(code, template=str(code))
        given = credentials(number)
        assert (await talk.init(environment=given)).kind == frames.READY
        expected = [given[name] for name in list(given)[1:4]]
        assert await talk.run(look) == [[expected], "another"]
