"""`mayfly export` of what was made outside of stacks: taken to another platform, where it does the same."""

import base64
import json
import re
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from mayfly.cli.connection import connect
from mayfly.cli.exports import outside
from mayfly.services.stacks.template.source import load
from tests.conftest import PlatformProcess, start_platform

from .shop import TRUST, furnish, package
from .test_commands import mayfly

RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
SECRETS = ("mauve-hidden", "also-hidden", "geheim-hidden", "key-hidden", "partner-hidden")
VALUES = {
    "BankConnectionApiKeyAuthParametersApiKeyValue": "of-the-bank",
    "PartnerKeyValue": "of-the-partner-of-the-partner",
    "ShopColourParameterValue": "blue",
    "ShopPasswordSecretSecretString": "sesame",
}


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], PlatformProcess]]:
    """Platforms of this module's own, by name: what is outside of stacks is everybody's."""
    started: dict[str, tuple[Any, PlatformProcess]] = {}

    def platform(name: str) -> PlatformProcess:
        if name not in started:
            started[name] = start_platform(tmp_path_factory.mktemp("platform") / name)
        return started[name][1]

    yield platform
    for server, _ in started.values():
        server.terminate()
    for server, _ in started.values():
        assert server.wait(60) == 0


@pytest.fixture(scope="module")
def old(platforms: Callable[[str], PlatformProcess]) -> PlatformProcess:
    """A platform with a shop that boto3 made."""
    made = platforms("old")
    furnish(made, RUNTIME)
    return made


@pytest.fixture(scope="module")
def exported(old: PlatformProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of its export, and what the command said."""
    target = tmp_path_factory.mktemp("export") / "shop"
    done = mayfly("export", "--out", str(target), data=old.data)
    assert done.returncode == 0, done.stderr
    return target, done.stderr


@pytest.fixture(scope="module")
def new(platforms: Callable[[str], PlatformProcess], exported: tuple[Path, str]) -> PlatformProcess:
    """Another platform, to which it was deployed."""
    made = platforms("new")
    given = [word for name, value in VALUES.items() for word in ("--parameter", f"{name}={value}")]
    done = mayfly("deploy", str(exported[0] / "template.yaml"), *given, data=made.data)
    assert done.returncode == 0, done.stderr
    return made


def test_nothing_of_the_platform_is_in_what_is_exported(exported: tuple[Path, str], old: PlatformProcess) -> None:
    text = (exported[0] / "template.yaml").read_text()
    assert "app.py" in zipfile.ZipFile(exported[0] / "Shop.zip").namelist()  # which was published, and is a version
    assert (exported[0] / "WaresLayer" / "python" / "wares.py").is_file()
    for foreign in (old.url.rpartition(":")[2], "127.0.0.1", "localhost", old.account, old.region, *SECRETS):
        assert foreign not in text
    said = exported[1]
    assert "AWS_ENDPOINT_URL named an address of this platform" in said
    assert "templates cannot make a SecureString" in said
    assert all(name in said for name in VALUES)


def test_things_refer_to_each_other(exported: tuple[Path, str]) -> None:
    template = load((exported[0] / "template.yaml").read_text())
    resources = template["Resources"]
    shop = resources["Shop"]["Properties"]
    variables = shop["Environment"]["Variables"]
    assert shop["Role"] == {"Fn::GetAtt": ["ShopRole", "Arn"]}
    assert shop["Layers"] == [{"Ref": "WaresLayer"}]
    assert variables["JOBS"] == {"Ref": "ShopJobs"}
    assert variables["NEWS"] == {"Ref": "ShopNews"}
    assert variables["STAGE"] == "a ${literal}"
    # The bucket needs the function, which it notifies, so the function says the bucket's name and no more.
    assert variables["PHOTOS"] == {"Ref": "ShopPhotosName"}
    assert resources["ShopPhotos"]["DependsOn"] == ["ShopPhotosPermission"]
    itself = resources["ShopRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"]
    named = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:shop"
    assert itself == {"Fn::Sub": named}
    objects = resources["ReadPhotosPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]["Resource"]
    assert objects == {"Fn::Sub": "arn:${AWS::Partition}:s3:::${ShopPhotosName}/*"}
    source = resources["ShopFrontPermission"]["Properties"]["SourceArn"]["Fn::Sub"]
    assert source == "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${FrontApi}/*"
    for name in VALUES:
        assert template["Parameters"][name]["NoEcho"] is True
        assert "Default" not in template["Parameters"][name]


def test_sam_takes_it(exported: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    template = load((exported[0] / "template.yaml").read_text())
    translated = Translator({}, Parser()).translate(json.loads(json.dumps(template)), {})
    assert translated["Resources"].keys() == template["Resources"].keys()


def test_what_is_deployed_of_it_is_the_same(new: PlatformProcess, old: PlatformProcess) -> None:
    """What one reads of the new platform makes the template that it was deployed by."""
    found = []
    for platform in (old, new):
        connection = connect(platform.data)
        template = outside.templated(connection, *outside.found(connection, frozenset()))
        found.append(unnamed(template.resources))
    assert found[0].keys() == found[1].keys()
    for name in found[0]:
        assert found[1][name] == found[0][name], name


def test_what_is_deployed_of_it_works(new: PlatformProcess) -> None:
    functions = new.client("lambda")
    for listed in functions.list_function_url_configs(FunctionName="shop")["FunctionUrlConfigs"]:
        assert answer(listed["FunctionUrl"] + "hello") == {
            "wares": ["apple"],
            "path": "/hello",
            "stage": "a ${literal}",
        }
    reply = functions.invoke(FunctionName="shop:live", Payload=json.dumps({"send": "one"}))
    assert "FunctionError" not in reply, reply["Payload"].read()
    kept = {"one": "job", "one.jpg": "object", "one-news": "message"}
    assert until(lambda: items(new), kept) == kept
    front = new.client("apigatewayv2").get_apis()["Items"]
    http = next(api["ApiId"] for api in front if api["Name"] == "front")
    assert answer(f"{new.url}/_mayfly/api/{http}/any")["path"] == "/any"
    back = new.client("apigateway").get_rest_apis()["items"][0]["id"]
    place = f"{new.url}/_mayfly/api/{back}/prod/wares"
    assert answer(place, **{"x-api-key": VALUES["PartnerKeyValue"]})["path"] == "/wares"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        answer(place)
    assert new.client("ssm").get_parameter(Name="/shop/colour")["Parameter"]["Value"] == "blue"


def test_where_all_belongs_to_stacks_there_is_nothing_to_export(new: PlatformProcess, tmp_path: Path) -> None:
    done = mayfly("export", "--out", str(tmp_path / "none"), data=new.data)
    assert done.returncode == 1
    assert "nothing is deployed outside of stacks" in done.stderr
    assert not (tmp_path / "none").exists()


def test_stacks_and_what_belongs_to_none_are_exported_apart(new: PlatformProcess, tmp_path: Path) -> None:
    new.client("sqs").create_queue(QueueName="loose")
    try:
        done = mayfly("export", "--all", "--out", str(tmp_path / "all"), data=new.data)
    finally:
        new.client("sqs").delete_queue(QueueUrl=new.client("sqs").get_queue_url(QueueName="loose")["QueueUrl"])
    assert done.returncode == 0, done.stderr
    loose = load((tmp_path / "all" / "outside-of-stacks" / "template.yaml").read_text())
    assert loose["Resources"] == {"Loose": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "loose"}}}
    assert (tmp_path / "all" / "shop" / "Shop.zip").is_file()  # whose checksum the stack's version says
    assert (tmp_path / "all" / "shop" / "WaresLayer" / "python" / "wares.py").is_file()
    both = mayfly("export", "shop", "--all", data=new.data)
    assert both.returncode == 1
    assert "either a stack, --all or --ignore-stacks" in both.stderr


def test_all_pages_are_read(new: PlatformProcess, tmp_path: Path) -> None:
    """Parameters and functions come fifty a page. A role that is gone, and that AWS asks for, is made up for."""
    parameters, functions, iam = new.client("ssm"), new.client("lambda"), new.client("iam")
    role = iam.create_role(RoleName="nobody", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    names = [f"many-{number}" for number in range(51)]
    code = {"ZipFile": package(app="")}
    try:
        for name in names:
            parameters.put_parameter(Name=name, Type="String", Value="x")
            functions.create_function(FunctionName=name, Runtime=RUNTIME, Handler="app.f", Role=role, Code=code)
        iam.delete_role(RoleName="nobody")
        done = mayfly("export", "--out", str(tmp_path / "many"), data=new.data)
    finally:
        for name in names:
            parameters.delete_parameter(Name=name)
            functions.delete_function(FunctionName=name)
    assert done.returncode == 0, done.stderr
    resources = load((tmp_path / "many" / "template.yaml").read_text())["Resources"]
    kinds = [one["Type"].rpartition("::")[2] for one in resources.values()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"Parameter": 51, "Function": 51, "Role": 1}
    assert "there is no role nobody" in done.stderr
    assert len(list((tmp_path / "many").glob("*/app.py"))) == 51


def unnamed(resources: dict[str, Any]) -> dict[str, Any]:
    """Resources with what stacks name by themselves (statements of policies), and the time in a document, left out."""
    permissions = {name: one for name, one in resources.items() if one["Type"] == "AWS::Lambda::Permission"}
    text = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", "", json.dumps(resources, sort_keys=True))
    for number, name in enumerate(sorted(permissions, key=lambda name: json.dumps(permissions[name], sort_keys=True))):
        text = text.replace(f'"{name}"', f'"permission-{number}"')
    made: dict[str, Any] = json.loads(text)
    return made


def items(platform: PlatformProcess) -> dict[str, str]:
    found = platform.client("dynamodb").scan(TableName="shop-wares")["Items"]
    return {one["id"]["S"]: one["kind"]["S"] for one in found}


def until(look: Callable[[], Any], wanted: Any) -> Any:
    """What is found when it is as wanted, or after a minute."""
    deadline = time.monotonic() + 60
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def answer(url: str, **headers: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as reply:
        body = reply.read()
    return json.loads(body) if body[:1] == b"{" else json.loads(base64.b64decode(body))
