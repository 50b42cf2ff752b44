"""An estate that boto3 made, exported and deployed to another platform: what each of them says of it is the same.

And what a template cannot say is said in words.
"""

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.cli.connection import connect
from mayfly.cli.exports import outside
from mayfly.services.stacks.template.source import load
from tests.cli.exports import estate
from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess, start_platform

RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
VALUES = {
    "DoorSecretSecretString": "sesame",
    "FriendKeyValue": "of-a-friend-of-a-friend",
    "ShopUntilParameterValue": "a,b",
}
STEPS = ("versions/1", "versions/2", "versions/3", ".")
EARLY = ("versions/1", ".")  # where values are given; between them they are kept
CALC = ("$LATEST", "1", "2", "3")


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlatformProcess, PlatformProcess]]:
    """One with the estate, and a fresh one."""
    started = [start_platform(tmp_path_factory.mktemp("moving") / name) for name in ("old", "new")]
    try:
        yield started[0][1], started[1][1]
    finally:
        for server, _ in started:
            server.terminate()
        for server, _ in started:
            assert server.wait(60) == 0


@pytest.fixture(scope="module")
def old(platforms: tuple[PlatformProcess, PlatformProcess]) -> PlatformProcess:
    made = platforms[0]
    estate.numbered(made, RUNTIME)
    estate.guarded(made, RUNTIME)
    estate.addressed(made)
    estate.told(made)
    estate.trusted(made, RUNTIME)
    done = mayfly("webhook", "create", "hub", data=made.data)
    assert done.returncode == 0, done.stderr
    done = mayfly("events", "token", "create", data=made.data)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def exported(old: PlatformProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder, and what the command said, in one line."""
    target = tmp_path_factory.mktemp("export") / "estate"
    done = mayfly("export", "--out", str(target), data=old.data)
    assert done.returncode == 0, done.stderr
    return target, " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def new(platforms: tuple[PlatformProcess, PlatformProcess], exported: tuple[Path, str]) -> PlatformProcess:
    """The other platform, once all steps were deployed to it."""
    for step in STEPS:
        template = exported[0] / step / "template.yaml"
        asked = [name for name in VALUES if name in template.read_text()] if step in EARLY else []
        given = [word for name in asked for word in ("--parameter", f"{name}={VALUES[name]}")]
        done = mayfly("deploy", str(template), *given, data=platforms[1].data)
        assert done.returncode == 0, done.stderr
    return platforms[1]


def test_a_second_export_finds_nothing_outside_of_stacks(new: PlatformProcess, tmp_path: Path) -> None:
    done = mayfly("export", "--out", str(tmp_path / "none"), data=new.data)
    assert (done.returncode, (tmp_path / "none").exists()) == (1, False)
    assert "nothing is deployed outside of stacks" in done.stderr


def test_what_is_read_of_both_platforms_makes_the_same_template(old: PlatformProcess, new: PlatformProcess) -> None:
    before, after = (_resources(platform) for platform in (old, new))
    assert sorted(before) == sorted(after)
    assert before == after


def test_a_user_is_made_after_the_groups_that_it_is_in(exported: tuple[Path, str]) -> None:
    resources = load((exported[0] / "template.yaml").read_text())["Resources"]
    groups = [name for name, one in resources.items() if one["Type"] == "AWS::IAM::Group"]
    assert groups
    assert set(groups) <= set(resources["AnnaUser"]["DependsOn"])


def test_versions_keep_their_order_their_code_and_what_they_were(old: PlatformProcess, new: PlatformProcess) -> None:
    before, after = (_versions(platform, "calc") for platform in (old, new))
    assert tuple(before) == tuple(after) == CALC
    published = [number for number in CALC if number != "$LATEST"]
    for number in published:
        assert after[number] == before[number], number
    code = [after[number].pop("CodeSha256") for number in CALC]
    assert len(set(code)) == len(CALC)
    before["$LATEST"].pop("CodeSha256")  # of code that was never published there is a folder, zipped anew
    assert after["$LATEST"] == before["$LATEST"]
    said = [_says(new, "calc", number) for number in CALC]
    assert said == [_says(old, "calc", number) for number in CALC] == ["calc latest", "calc 1", "calc 2", "calc 3"]


def test_aliases_share_calls_out_as_they_did(old: PlatformProcess, new: PlatformProcess) -> None:
    shared = [
        {
            one["Name"]: (one["FunctionVersion"], one.get("RoutingConfig"), one["Description"])
            for one in platform.client("lambda").list_aliases(FunctionName="calc")["Aliases"]
        }
        for platform in (old, new)
    ]
    assert shared[1] == shared[0]
    assert shared[1]["live"] == ("2", {"AdditionalVersionWeights": {"1": 0.25}}, "for all")
    # Of pay, versions 3 and 5 are exported, and numbered anew.
    assert new.client("lambda").get_alias(FunctionName="pay", Name="live")["FunctionVersion"] == "1"
    assert list(_versions(new, "pay")) == ["$LATEST", "1", "2"]
    assert [_says(new, "pay", number) for number in ("live", "2", "$LATEST")] == ["pay 3", "pay 5", "pay 5"]


def test_domains_lead_to_the_apis_that_they_led_to(old: PlatformProcess, new: PlatformProcess) -> None:
    assert _mappings(new) == _mappings(old)
    assert _mappings(new) == {
        "new.example.com": [("", "old-shop", "prod"), ("v1/shop", "new-shop", "$default")],
        "old.example.com": [("", "old-shop", ""), ("shop", "old-shop", "prod")],
    }


def test_a_step_has_what_the_functions_with_versions_refer_to_and_no_more(exported: tuple[Path, str]) -> None:
    templates = [load((exported[0] / step / "template.yaml").read_text()) for step in STEPS]
    resources = [frozenset(one["Resources"]) for one in templates]
    assert resources[0] == {
        *("Calc", "CalcVersion1", "Pay", "PayVersion3", "WorksRole", "WordsLayerVersion1"),
        *("Opens", "OpensVersion1", "DoorSecret", "TurnerRole"),  # of which a variable names the secret
    }
    assert resources[0] < resources[1] < resources[2] < resources[3]
    assert [list(one["Parameters"]) for one in templates[:3]] == [["DoorSecretSecretString"]] * 3
    first, *_, last = templates
    assert first["Resources"]["Calc"]["Properties"]["Environment"] == {"Variables": {"NR": "1"}}
    assert first["Resources"]["Calc"]["Properties"]["Code"] == "../Calc-1.zip"
    assert last["Resources"]["CalcVersion1"]["Properties"]["FunctionName"] == {"Ref": "Calc"}
    assert zipfile.is_zipfile(exported[0] / "Pay.zip")
    assert (exported[0] / "Calc" / "app.py").read_text() == estate.SAYS.format(what="calc latest")


def test_what_cannot_be_taken_along_is_said_with_its_name_and_the_reason(exported: tuple[Path, str]) -> None:
    said = exported[1]
    for sentence in (
        "pay: versions 1-2, 4 left out, since nothing names them; --all-versions takes them along",
        "layer words: version 2 left out",
        "pay: numbers begin anew where it is deployed: 3, 5 will be 1-2",
        "(calc, opens, pay): deploy versions/1/template.yaml to versions/3/template.yaml, then template.yaml, in this",
        "client certificate front door: another one is made",
        "refuses all code, so the template leaves it away",
        "user anna: access keys are not exported",
        f"values are not written: give {', '.join(VALUES)} with the deployment",
        "DoorSecretSecretString is to be given with versions/1/template.yaml already",
        "data is not exported: objects of full-of-photos",
        "bus default: for CloudEvents, a token stays here",
        "webhooks are Mayfly's own, and left out: hub",
    ):
        assert sentence in said


def test_all_versions_are_exported_where_that_is_asked_for(old: PlatformProcess, tmp_path: Path) -> None:
    done = mayfly("export", "--all-versions", "--out", str(tmp_path / "all"), data=old.data)
    assert done.returncode == 0, done.stderr
    last = load((tmp_path / "all" / "template.yaml").read_text())["Resources"]
    assert {name for name in last if name.startswith("PayVersion")} == {
        "PayVersion", *(f"PayVersion{number}" for number in (1, 2, 3, 4))
    }  # fmt: skip
    assert {"WordsLayer", "WordsLayerVersion1", "WordsLayerVersion2"} <= set(last)
    assert last["WordsLayer"]["DependsOn"] == ["WordsLayerVersion2"]
    assert len(list((tmp_path / "all" / "versions").glob("*/template.yaml"))) == 4
    assert "left out" not in " ".join(line for line in done.stderr.splitlines() if "version" in line)


def test_a_stack_with_such_versions_is_exported_again_as_if_there_were_none(
    new: PlatformProcess, exported: tuple[Path, str], tmp_path: Path
) -> None:
    new.client("s3").put_object(Bucket="full-of-photos", Key="b", Body=b"y")
    stack = mayfly("export", "estate", "--out", str(tmp_path / "stack"), data=new.data)
    assert stack.returncode == 0, stack.stderr
    said = " ".join(stack.stderr.split())
    assert "CalcVersion1, CalcVersion2, CalcVersion were published by one template after another" in said
    assert "data is not exported: objects of full-of-photos" in said
    shop = load((tmp_path / "stack" / "template.yaml").read_text())["Resources"]
    assert (shop["Calc"]["Properties"]["Code"], shop["Plain"]["Properties"]["Code"]) == ("Calc.zip", "Plain")

    again = mayfly("export", "--ignore-stacks", "--out", str(tmp_path / "again"), data=new.data)
    assert again.returncode == 0, again.stderr
    for step in STEPS:
        one, other = (
            load((folder / step / "template.yaml").read_text()) for folder in (exported[0], tmp_path / "again")
        )
        assert _checksums(one) == _checksums(other)
        assert len(one["Resources"]) == len(other["Resources"])
    both = mayfly("export", "--ignore-stacks", "--all", data=new.data)
    assert "either a stack, --all or --ignore-stacks" in both.stderr


def test_who_names_what_a_stack_has_is_told_where_that_gets_another_name(old: PlatformProcess, tmp_path: Path) -> None:
    stacks = old.client("cloudformation")
    body = {
        "Resources": {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "x", "ProtocolType": "HTTP"}}}
    }
    stacks.create_stack(StackName="has-an-api", TemplateBody=json.dumps(body))
    stacks.get_waiter("stack_create_complete").wait(StackName="has-an-api", WaiterConfig={"Delay": 1})
    (api,) = stacks.describe_stack_resources(StackName="has-an-api")["StackResources"]
    functions = old.client("lambda")
    functions.add_permission(
        FunctionName="plain", StatementId="x", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
        SourceArn=estate.arn(old, "execute-api", f"{api['PhysicalResourceId']}/*"),
    )  # fmt: skip
    try:
        done = mayfly("export", "--out", str(tmp_path / "x"), data=old.data)
    finally:
        functions.remove_permission(FunctionName="plain", StatementId="x")
        stacks.delete_stack(StackName="has-an-api")
        stacks.get_waiter("stack_delete_complete").wait(StackName="has-an-api", WaiterConfig={"Delay": 1})
    assert f"PlainXPermission: {api['PhysicalResourceId']} is of stack has-an-api" in " ".join(done.stderr.split())


def _checksums(template: dict[str, Any]) -> list[tuple[str, str]]:
    versions = [one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Version"]
    return sorted((one["FunctionName"]["Ref"], one["CodeSha256"]) for one in versions)


def _resources(platform: PlatformProcess) -> dict[str, str]:
    """What would be exported if no stack had it, as texts; without names, numbers and times that each place gives."""
    connection = connect(platform.data)
    things, _ = outside.found(connection, frozenset())
    found: dict[str, str] = {}
    for name, resource in outside.templated(connection, things, []).resources.items():
        properties = resource["Properties"]
        properties.get("Body", {}).get("info", {}).pop("version", None)
        text = re.sub(r'"\w+Permission"', '"a permission"', json.dumps(resource, sort_keys=True))
        text = text.replace("PayVersion3", "PayVersion1")
        own = name.endswith("Permission") and not name.startswith("AWS")
        found[text if own else name.replace("PayVersion3", "PayVersion1")] = text
    return found


def _versions(platform: PlatformProcess, function: str) -> dict[str, dict[str, Any]]:
    listed = platform.client("lambda").list_versions_by_function(FunctionName=function)["Versions"]
    own = ("FunctionArn", "LastModified", "RevisionId", "Layers", "CodeSize")
    found = {one["Version"]: {name: value for name, value in one.items() if name not in own} for one in listed}
    for one in listed:
        layers = [platform.client("lambda").get_layer_version_by_arn(Arn=used["Arn"]) for used in one.get("Layers", ())]
        found[one["Version"]]["words"] = [layer["Description"] for layer in layers]
    return found


def _says(platform: PlatformProcess, function: str, qualifier: str) -> str:
    reply = platform.client("lambda").invoke(FunctionName=function, Qualifier=qualifier)
    return str(json.loads(reply["Payload"].read()))


def _mappings(platform: PlatformProcess) -> dict[str, list[tuple[str, str, str]]]:
    http, rest = platform.client("apigatewayv2"), platform.client("apigateway")
    names = {one["ApiId"]: one["Name"] for one in http.get_apis()["Items"]}
    names |= {one["id"]: one["name"] for one in rest.get_rest_apis()["items"]}
    return {
        domain["DomainName"]: sorted(
            (one.get("ApiMappingKey", ""), names[one["ApiId"]], one["Stage"])
            for one in http.get_api_mappings(DomainName=domain["DomainName"])["Items"]
        )
        for domain in http.get_domain_names()["Items"]
    }
