"""What a template prepared is as good as what a function would have made itself."""

import asyncio
import json
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import JSONFileLoader

from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.python import preload

from . import parcels
from .talk import RUNTIME, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIDFUNCTION",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
}
CLIENT = """
import boto3
client = boto3.client("s3")
credentials = boto3.Session().get_credentials()
result = [client.meta.region_name, client.meta.endpoint_url, credentials.access_key, credentials.token,
          boto3.client("dynamodb").meta.region_name, boto3.resource("dynamodb").Table("t").name]
"""


async def test_a_client_has_the_region_endpoint_and_credentials_of_its_function(isolated: Talks) -> None:
    talk = await isolated.start()
    await talk.init(environment=ENVIRONMENT)
    result = await talk.run(CLIENT)
    assert result == ["eu-west-1", "http://127.0.0.1:4566", "AKIDFUNCTION", "token", "eu-west-1", "t"]


def _texts(value: Any, found: list[str]) -> list[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            found.append(key)
            _texts(item, found)
    elif isinstance(value, list):
        for item in value:
            _texts(item, found)
    elif isinstance(value, str):
        found.append(value)
    return found


@pytest.mark.parametrize("name", ["endpoints", "sqs/2012-11-05/service-2", "no-such-file"])
async def test_what_is_read_beforehand_is_what_botocore_reads_with_each_text_once(name: str) -> None:
    path = str(Path(botocore.__file__).parent / "data" / name)
    found, expected = preload._Files().load_file(path), JSONFileLoader().load_file(path)
    assert preload._Files().exists(path) == JSONFileLoader().exists(path)
    assert json.dumps(found) == json.dumps(expected)  # in the same order, too
    texts = _texts(found, [])
    assert len({id(text) for text in texts}) == len(set(texts))


async def test_a_template_keeps_models_as_plain_dictionaries(isolated: Talks) -> None:
    talk = await isolated.start()
    await talk.init(environment=ENVIRONMENT)
    program = """
import boto3, collections
loader = boto3.Session()._session.get_component("data_loader")
models = [loader.load_service_model(name, "service-2") for name in ("s3", "dynamodb", "lambda")]
result = [type(model["shapes"]) is collections.OrderedDict for model in models]
"""
    assert await talk.run(program) == [False, False, False]


async def test_a_function_with_a_configuration_file_of_its_own_gets_its_own_session(
    isolated: Talks, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "config").write_text("[profile mine]\nregion = ap-south-1\n")
    (code / "lab.py").write_text((Path(__file__).parent / "code" / "lab.py").read_text())
    talk = await isolated.start(code)
    given = {"AWS_CONFIG_FILE": "/var/task/config", "AWS_PROFILE": "mine"}
    await talk.init(environment=given)
    assert await talk.run("import boto3; result = boto3.client('sqs').meta.region_name") == "ap-south-1"


async def test_a_function_that_brings_its_own_boto3_gets_that_one(isolated: Talks, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "python" / "boto3").mkdir(parents=True)
    (layer / "python" / "boto3" / "__init__.py").write_text("MINE = True\n")
    talk = await isolated.ready(layers=(layer,))
    assert await talk.run("import boto3; result = [boto3.MINE, boto3.__file__]") == [
        *(True, "/opt/python/boto3/__init__.py")
    ]
    assert await talk.run("import botocore; result = botocore.__file__") == "/var/runtime/botocore/__init__.py"


async def test_instances_do_not_share_random_numbers(isolated: Talks) -> None:
    code = "import random, uuid, tempfile, secrets; result = [random.random(), str(uuid.uuid4()), secrets.token_hex()]"
    drawn = [json.dumps(await (await isolated.ready()).run(code)) for _ in range(4)]
    numbers = [number for text in drawn for number in json.loads(text)]
    assert len(set(numbers)) == 12


async def test_a_call_to_the_platform_goes_through_the_endpoint(isolated: Talks) -> None:
    talk = await isolated.start()
    await talk.init(environment=ENVIRONMENT)
    code = "import boto3\ntry: boto3.client('sts').get_caller_identity()\nexcept Exception as e: result = str(e)"
    endpoint = talk.sandbox.endpoint
    assert endpoint is not None
    await talk.send_invoke({"code": code})
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(endpoint)
    with connection:
        request = await loop.sock_recv(connection, 1 << 16)
        assert b"AKIDFUNCTION" in request
        body = b"<ErrorResponse><Error><Code>Nope</Code><Message>not you</Message></Error></ErrorResponse>"
        head = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        await loop.sock_sendall(connection, head + body)
    frame = await talk.receive()
    assert "(Nope)" in frame.payload.decode()


@pytest.mark.parametrize("ahead", [False, True])
async def test_directories_that_a_function_adds_are_searched_behind_its_own(
    isolated: Talks, tmp_path: Path, *, ahead: bool
) -> None:
    code = parcels.make(tmp_path, "", extra={"one.py": "WHERE = 'own'"})
    (code / "lib").mkdir()
    for name in ("one", "two", "colorsys"):
        (code / "lib" / f"{name}.py").write_text("WHERE = 'added'")
    talk = await isolated.start(code, ahead=ahead)
    environment = {"PYTHONPATH": "/var/task/lib:/var/runtime:"}
    await talk.init(environment=environment)
    found = await talk.run("import one, two, colorsys, boto3; result = [m.WHERE for m in (one, two, colorsys)]")
    assert found == ["own", "added", "added"]
    assert await talk.run("result = [sys.path[:2], len(sys.path) - len(set(sys.path))]") == [
        ["/var/task", "/var/task/lib"],
        0,
    ]


async def test_what_lies_where_a_function_has_added_is_its_own_and_not_made_ahead(
    isolated: Talks, tmp_path: Path
) -> None:
    code = parcels.make(tmp_path, "import os\n")
    (code / "lib").mkdir()
    (code / "lib" / "mine.py").write_text("import os\nPID = os.getpid()\nWHO = os.environ.get('WHO')\n")
    environment = {"PYTHONPATH": "lib"}
    spec = SandboxSpec(RUNTIME, code)
    await isolated.factory.prepare_packages(str(code), spec, [*parcels.MODULES, "mine"], environment)
    talk = await isolated.start(code, template=str(code))
    await talk.init(environment={**environment, "WHO": "me"})
    assert await talk.run("loaded = 'mine' in sys.modules; import mine; result = [loaded, mine.WHO]") == [False, "me"]
