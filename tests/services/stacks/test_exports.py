"""Exports: one name a place, imported by others, kept as long as somebody imports them."""

import asyncio
from typing import Any

import pytest

from mayfly.services.contract import ServiceError

from .conftest import Stage, template, thing

pytestmark = pytest.mark.asyncio


def exporting(value: Any = "v", name: Any = "shared") -> dict[str, Any]:
    return {"Outputs": {"Out": {"Value": value, "Export": {"Name": name}}}}


def importing(name: Any = "shared") -> dict[str, Any]:
    return {"B": thing(Label={"Fn::ImportValue": name})}


async def exported(stage: Stage) -> dict[str, str]:
    return {item["Name"]: item["Value"] for item in (await stage.call("ListExports"))["Exports"]}


async def test_an_export_is_listed_described_and_imported(stage: Stage) -> None:
    more = exporting({"Fn::GetAtt": ["A", "Arn"]}, {"Fn::Sub": "${AWS::StackName}-arn"})
    stack = await stage.create({"A": thing(Name="a")}, "maker", more)
    assert stack["Outputs"] == [{"OutputKey": "Out", "OutputValue": "arn:aws:shelf:::a", "ExportName": "maker-arn"}]
    (listed,) = (await stage.call("ListExports"))["Exports"]
    assert listed == {"ExportingStackId": stack["StackId"], "Name": "maker-arn", "Value": "arn:aws:shelf:::a"}
    await stage.create(importing({"Fn::Join": ["-", ["maker", "arn"]]}), "user")
    assert stage.held()["B"] == {"Label": "arn:aws:shelf:::a"}
    assert (await stage.call("ListImports", ExportName="maker-arn"))["Imports"] == ["user"]


async def test_what_nobody_exports_cannot_be_imported(stage: Stage) -> None:
    answer = await stage.refused("CreateStack", StackName="s", TemplateBody=template(importing()))
    assert answer == ("ValidationError", "No export named shared found.")
    answer = await stage.refused("ListImports", ExportName="shared")
    assert answer == ("ValidationError", "Export 'shared' is not imported by any stack.")


async def test_a_branch_that_is_not_taken_imports_nothing(stage: Stage) -> None:
    value = {"Fn::If": ["Yes", "own", {"Fn::ImportValue": "shared"}]}
    await stage.create({"A": thing(Label=value)}, more={"Conditions": {"Yes": {"Fn::Equals": ["a", "a"]}}})
    assert stage.held()["A"] == {"Label": "own"}


async def test_one_name_is_exported_once(stage: Stage) -> None:
    await stage.create({"A": thing()}, "first", exporting())
    body = template({"A": thing()}, **exporting())
    answer = await stage.refused("CreateStack", StackName="second", TemplateBody=body)
    assert answer == ("ValidationError", "Export with name shared is already exported by stack first")
    twice = {"Outputs": {key: {"Value": "v", "Export": {"Name": "other"}} for key in "XY"}}
    _, message = await stage.refused("CreateStack", StackName="third", TemplateBody=template({"A": thing()}, **twice))
    assert "Duplicate Export name other" in message


async def test_two_stacks_that_race_for_a_name_get_it_once(stage: Stage) -> None:
    gate = stage.shelf.gates["Create A"] = asyncio.Event()
    for name in ("first", "second"):
        await stage.call("CreateStack", StackName=name, TemplateBody=template({"A": thing()}, **exporting()))
    gate.set()
    stacks = [await stage.settled(name) for name in ("first", "second")]
    assert sorted(stack["StackStatus"] for stack in stacks) == ["CREATE_COMPLETE", "ROLLBACK_COMPLETE"]
    assert await exported(stage) == {"shared": "v"}
    reasons = [event.get("ResourceStatusReason", "") for name in ("first", "second")
               for event in (await stage.call("DescribeStackEvents", StackName=name))["StackEvents"]]  # fmt: skip
    assert any("Export with name shared is already exported by stack" in reason for reason in reasons)


async def test_an_export_in_use_is_neither_changed_nor_deleted(stage: Stage) -> None:
    await stage.create({"A": thing()}, "maker", exporting())
    await stage.create(importing(), "user")
    for more, what in ((exporting("other"), "updated"), ({}, "deleted")):
        stack = await stage.update({"A": thing(Size=1)}, "maker", more)
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        events = (await stage.call("DescribeStackEvents", StackName="maker"))["StackEvents"]
        reason = f"Export shared cannot be {what} as it is in use by user"
        assert reason in [event.get("ResourceStatusReason") for event in events]
    assert await exported(stage) == {"shared": "v"}
    assert stage.held()["A"] == {}
    answer = await stage.refused("DeleteStack", StackName="maker")
    assert answer == ("ValidationError", "Export shared cannot be deleted as it is in use by user")
    assert (await stage.stack("maker"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


async def test_an_export_is_free_once_its_users_are_gone(stage: Stage) -> None:
    await stage.create({"A": thing()}, "maker", exporting())
    user = await stage.create(importing(), "user")
    await stage.call("DeleteStack", StackName="user")
    await stage.settled(user["StackId"])
    await stage.update({"A": thing()}, "maker", exporting("other"))
    assert await exported(stage) == {"shared": "other"}
    maker = await stage.stack("maker")
    await stage.call("DeleteStack", StackName="maker")
    assert (await stage.settled(maker["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
    assert await exported(stage) == {}


async def test_a_stack_that_stops_importing_lets_go(stage: Stage) -> None:
    await stage.create({"A": thing()}, "maker", exporting())
    await stage.create(importing(), "user")
    await stage.update({"B": thing(Label="own")}, "user")
    with pytest.raises(ServiceError, match="not imported by any stack"):
        await stage.call("ListImports", ExportName="shared")


async def test_an_export_is_held_while_its_user_is_on_its_way(stage: Stage) -> None:
    await stage.create({"A": thing()}, "maker", exporting())
    gate = stage.shelf.gates["Create B"] = asyncio.Event()
    await stage.call("CreateStack", StackName="user", TemplateBody=template(importing()))
    answer = await stage.refused("DeleteStack", StackName="maker")
    assert answer == ("ValidationError", "Export shared cannot be deleted as it is in use by user")
    gate.set()
    await stage.settled("user")


async def test_a_name_of_an_export_has_a_form(stage: Stage) -> None:
    for name in ("a b", "", {"Ref": "A"}):
        body = template({"A": thing()}, **exporting(name=name))
        _, message = await stage.refused("CreateStack", StackName="s", TemplateBody=body)
        assert "consist only of alphanumeric characters, colons, or hyphens." in message


async def test_an_output_of_another_stack_needs_no_export(stage: Stage) -> None:
    await stage.create({"A": thing()}, "maker", {"Outputs": {"Out": {"Value": "v"}}})
    reference = {"Fn::GetStackOutput": {"StackName": "maker", "OutputName": "Out"}}
    await stage.create({"B": thing(Label=reference)}, "user")
    assert stage.held()["B"] == {"Label": "v"}
    await stage.update({"A": thing()}, "maker", {"Outputs": {"Out": {"Value": "w"}}})
    await stage.update({"B": thing(Label=reference)}, "user")
    assert stage.held()["B"] == {"Label": "w"}


async def test_exports_come_in_pages(stage: Stage) -> None:
    names = [f"e{number:03}" for number in range(120)]
    outputs = {name: {"Value": name, "Export": {"Name": name}} for name in names}
    await stage.create({"A": thing()}, more={"Outputs": outputs})
    first = await stage.call("ListExports")
    second = await stage.call("ListExports", NextToken=first["NextToken"])
    assert [item["Name"] for page in (first, second) for item in page["Exports"]] == names
    assert "NextToken" not in second
    answer = await stage.refused("ListExports", NextToken="nonsense")
    assert answer == ("ValidationError", "Invalid NextToken.")
