"""Stacks made, changed and deleted: order, events, failures, and what is left afterwards."""

import asyncio
from typing import Any

import pytest

from mayfly.services.contract import ServiceError

from .conftest import ROOT, Stage, template, thing

pytestmark = pytest.mark.asyncio
BROKEN = ServiceError("Broken", "it broke")


async def test_an_output_that_comes_out_otherwise_is_a_reason_for_an_update(stage: Stage) -> None:
    more = {"Parameters": {"P": {"Type": "String"}}, "Outputs": {"O": {"Value": {"Ref": "P"}}}}
    await stage.create({"A": thing()}, more=more, Parameters=[{"ParameterKey": "P", "ParameterValue": "one"}])
    stack = await stage.update({"A": thing()}, more=more, Parameters=[{"ParameterKey": "P", "ParameterValue": "two"}])
    assert (stack["StackStatus"], stack["Outputs"][0]["OutputValue"]) == ("UPDATE_COMPLETE", "two")
    given = [{"ParameterKey": "P", "ParameterValue": "two"}]
    body = template({"A": thing()}, **more)
    answer = await stage.refused("UpdateStack", StackName="s", TemplateBody=body, Parameters=given)
    assert answer == ("ValidationError", "No updates are to be performed.")


async def test_a_property_that_is_a_plain_value_can_be_asked_for_like_an_attribute(stage: Stage) -> None:
    await stage.create({"A": thing(Size=3), "B": thing(Label={"Fn::GetAtt": ["A", "Size"]})})
    assert stage.held()["B"] == {"Label": "3"}
    body = template({"A": thing(), "B": thing(Label={"Fn::GetAtt": ["A", "Needs"]})})
    _, message = await stage.refused("CreateStack", StackName="t", TemplateBody=body)
    assert message == "Template error: resource A does not support attribute type Needs in Fn::GetAtt"


async def test_a_stack_is_made_in_the_order_of_its_references(stage: Stage) -> None:
    stack = await stage.create(
        {
            "B": thing(Label={"Ref": "A"}),
            "A": thing(),
            "C": thing(Label={"Fn::Sub": "${B.Upper}!"}),
            "D": thing(DependsOn="C"),
        },
        more={"Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["C", "Arn"]}, "Description": "of C"}}},
    )
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stage.shelf.log == ["Create A", "Create B", "Create C", "Create D"]
    held = stage.held()
    names = {name.split("-")[1]: name for name in stage.shelf.things}
    assert held["B"]["Label"] == names["A"]
    assert held["C"]["Label"] == f"{names['B'].upper()}!"
    assert stack["Outputs"] == [
        {"OutputKey": "Arn", "OutputValue": f"arn:aws:shelf:::{names['C']}", "Description": "of C"}
    ]
    assert stage.shelf.principals == {ROOT.arn}


async def test_the_events_tell_the_story_in_order(stage: Stage) -> None:
    await stage.create({"A": thing()})
    assert await stage.events() == [
        ("s", "CREATE_IN_PROGRESS"),
        ("A", "CREATE_IN_PROGRESS"),
        ("A", "CREATE_IN_PROGRESS"),
        ("A", "CREATE_COMPLETE"),
        ("s", "CREATE_COMPLETE"),
    ]


async def test_what_does_not_depend_on_one_another_is_made_at_the_same_time(stage: Stage) -> None:
    gate = asyncio.Event()
    names = [f"R{number}" for number in range(40)]
    stage.shelf.gates |= {f"Create {name}": gate for name in names}
    await stage.call("CreateStack", StackName="s", TemplateBody=template({name: thing() for name in names}))
    while stage.shelf.most_at_once < 24:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    gate.set()
    await stage.settled()
    assert stage.shelf.most_at_once == 24
    assert len(stage.shelf.things) == 40


async def test_a_failed_creation_is_rolled_back_in_reverse_and_says_why(stage: Stage) -> None:
    stage.shelf.fail["Create C"] = BROKEN
    stack = await stage.create({"A": thing(), "B": thing(DependsOn="A"), "C": thing(DependsOn="B")})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stage.shelf.things == {}
    assert [entry for entry in stage.shelf.log if entry.startswith("Delete")] == ["Delete C", "Delete B", "Delete A"]
    events = (await stage.call("DescribeStackEvents", StackName="s"))["StackEvents"]
    (failed,) = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert failed["ResourceStatusReason"] == (
        'Resource handler returned message: "it broke" (HandlerErrorCode: Broken)'
    )
    (turned,) = [event for event in events if event["ResourceStatus"] == "ROLLBACK_IN_PROGRESS"]
    assert turned["ResourceStatusReason"] == (
        "The following resource(s) failed to create: [C]. Rollback requested by user."
    )


async def test_nothing_is_begun_after_a_failure(stage: Stage) -> None:
    stage.shelf.fail["Create A"] = BROKEN
    await stage.create({"A": thing(), "B": thing(DependsOn="A")})
    assert ("B", "CREATE_IN_PROGRESS") not in await stage.events()


@pytest.mark.parametrize("params", [{"DisableRollback": True}, {"OnFailure": "DO_NOTHING"}])
async def test_without_rollback_a_failed_creation_stands_as_it_is(stage: Stage, params: Any) -> None:
    stage.shelf.fail["Create B"] = BROKEN
    stack = await stage.create({"A": thing(), "B": thing(DependsOn="A")}, **params)
    assert stack["StackStatus"] == "CREATE_FAILED"
    assert list(stage.held()) == ["A"]


async def test_a_failed_creation_can_take_the_stack_with_it(stage: Stage) -> None:
    stage.shelf.fail["Create A"] = BROKEN
    stack = await stage.create({"A": thing()}, OnFailure="DELETE")
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    assert (await stage.refused("DescribeStacks", StackName="s"))[1] == "Stack with id s does not exist"


async def test_a_stack_that_was_rolled_back_can_only_be_deleted(stage: Stage) -> None:
    stage.shelf.fail["Create A"] = BROKEN
    stack = await stage.create({"A": thing()})
    message = f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated."
    answer = await stage.refused("UpdateStack", StackName="s", TemplateBody=template({"A": thing(Size=1)}))
    assert answer == ("ValidationError", message)
    await stage.call("DeleteStack", StackName="s")
    await stage.service.driver.settled(stack["StackId"])
    assert (await stage.stack(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"


async def test_a_name_that_somebody_else_has_is_left_alone(stage: Stage) -> None:
    stage.shelf.things["mine"] = {"Size": 1}
    stack = await stage.create({"A": thing(Name="mine")})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stage.shelf.things == {"mine": {"Size": 1}}
    events = (await stage.call("DescribeStackEvents", StackName="s"))["StackEvents"]
    assert "mine already exists" in {event.get("ResourceStatusReason") for event in events}


async def test_a_living_name_is_taken_and_a_deleted_one_free(stage: Stage) -> None:
    first = await stage.create({"A": thing()})
    answer = await stage.refused("CreateStack", StackName="s", TemplateBody=template({"A": thing()}))
    assert answer == ("AlreadyExistsException", "Stack [s] already exists")
    await stage.call("DeleteStack", StackName="s")
    await stage.service.driver.settled(first["StackId"])
    second = await stage.create({"A": thing()})
    assert second["StackId"] != first["StackId"]
    assert (await stage.stack(first["StackId"]))["StackStatus"] == "DELETE_COMPLETE"


async def test_the_same_request_again_answers_the_same_stack(stage: Stage) -> None:
    request = {"StackName": "s", "TemplateBody": template({"A": thing()}), "ClientRequestToken": "t1"}
    first = await stage.call("CreateStack", **request)
    assert await stage.call("CreateStack", **request) == first
    assert (await stage.refused("CreateStack", **{**request, "ClientRequestToken": "t2"}))[
        0
    ] == "AlreadyExistsException"


async def test_an_update_changes_in_place_adds_and_removes(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1), "B": thing()})
    before = set(stage.shelf.things)
    stack = await stage.update({"A": thing(Size="2"), "C": thing(Label={"Ref": "A"})})
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    held = stage.held()
    assert held.keys() == {"A", "C"}
    assert held["A"]["Size"] == 2
    assert len(before & set(stage.shelf.things)) == 1
    assert [status for who, status in await stage.events() if who == "s"] == [
        "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]


async def test_a_replacement_is_made_before_the_old_one_goes_and_others_follow(stage: Stage) -> None:
    await stage.create({"A": thing(Kind="x"), "B": thing(Label={"Ref": "A"})})
    (old,) = [name for name in stage.shelf.things if "-A-" in name]
    stage.shelf.log.clear()
    await stage.update({"A": thing(Kind="y"), "B": thing(Label={"Ref": "A"})})
    (new,) = [name for name in stage.shelf.things if "-A-" in name]
    assert new != old
    assert stage.held()["B"]["Label"] == new
    assert stage.shelf.log == ["Create A", "Update B", "Delete A"]


async def test_an_update_that_changes_nothing_is_refused(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1)})
    answer = await stage.refused("UpdateStack", StackName="s", TemplateBody=template({"A": thing(Size="1")}))
    assert answer == ("ValidationError", "No updates are to be performed.")


async def test_a_change_of_outputs_or_tags_alone_is_an_update(stage: Stage) -> None:
    await stage.create({"A": thing()})
    stack = await stage.update({"A": thing()}, more={"Outputs": {"O": {"Value": "1"}}})
    assert stack["Outputs"] == [{"OutputKey": "O", "OutputValue": "1"}]
    stack = await stage.update(
        {"A": thing()}, more={"Outputs": {"O": {"Value": "1"}}}, Tags=[{"Key": "k", "Value": "v"}]
    )
    assert stack["Tags"] == [{"Key": "k", "Value": "v"}]


async def test_a_failed_update_brings_everything_back(stage: Stage) -> None:
    old = {"A": thing(Size=1), "B": thing(Kind="x"), "Gone": thing()}
    await stage.create(old)
    before = dict(stage.shelf.things)
    stage.shelf.fail["Create New"] = BROKEN
    stack = await stage.update({"A": thing(Size=2), "B": thing(Kind="y"), "New": thing(DependsOn=["A", "B"])})
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.shelf.things == before
    del stage.shelf.fail["Create New"]
    stack = await stage.update({"A": thing(Size=2), "New": thing()})
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stage.held().keys() == {"A", "New"}


async def test_a_condition_turned_on_by_a_failed_update_is_turned_off_again(stage: Stage) -> None:
    more = {
        "Parameters": {"On": {"Type": "String", "Default": "no"}},
        "Conditions": {"On": {"Fn::Equals": [{"Ref": "On"}, "yes"]}},
    }
    resources = {"A": thing(), "B": thing(Condition="On"), "C": thing(Condition="On", DependsOn="B")}
    await stage.create(resources, more=more)
    stage.shelf.fail["Create C"] = BROKEN
    stack = await stage.update(resources, more=more, Parameters=[{"ParameterKey": "On", "ParameterValue": "yes"}])
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert list(stage.held()) == ["A"]


async def test_a_failed_update_without_rollback_can_be_mended_by_the_next(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1)})
    stage.shelf.fail["Create B"] = BROKEN
    stack = await stage.update({"A": thing(Size=2), "B": thing(Size=1, DependsOn="A")}, DisableRollback=True)
    assert stack["StackStatus"] == "UPDATE_FAILED"
    del stage.shelf.fail["Create B"]
    stack = await stage.update({"A": thing(Size=2), "B": thing(Size=5, DependsOn="A")})
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stage.held()["B"]["Size"] == 5
    assert len(stage.shelf.things) == 2


async def test_a_rollback_that_fails_can_be_continued(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1)})
    stage.shelf.fail["Create B"] = BROKEN

    async def update() -> None:
        await stage.call(
            "UpdateStack", StackName="s", TemplateBody=template({"A": thing(Size=2), "B": thing(DependsOn="A")})
        )

    create = stage.shelf.call

    async def failing_after_the_first(*arguments: Any) -> dict[str, Any]:
        reply = await create(*arguments)
        if arguments[2] == "Update":
            stage.shelf.fail["Update A"] = BROKEN
        return reply

    stage.shelf.call = failing_after_the_first  # type: ignore[method-assign,assignment]  # the failure comes with the way back
    await update()
    assert (await stage.settled())["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    stage.shelf.call = create  # type: ignore[method-assign]  # as above
    stage.shelf.fail.clear()
    await stage.call("ContinueUpdateRollback", StackName="s")
    assert (await stage.settled())["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.held() == {"A": {"Size": 1}}


async def test_a_custom_name_cannot_be_replaced(stage: Stage) -> None:
    await stage.create({"A": thing(Name="mine", Kind="x")})
    stack = await stage.update({"A": thing(Name="mine", Kind="y")})
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.shelf.things == {"mine": {"Name": "mine", "Kind": "x"}}


async def test_retained_resources_outlive_their_stack_and_their_replacement(stage: Stage) -> None:
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    await stage.create({"A": thing(Kind="x", **kept), "B": thing()})
    await stage.update({"A": thing(Kind="y", **kept), "B": thing()})
    assert len(stage.shelf.things) == 3
    stack = await stage.stack()
    await stage.call("DeleteStack", StackName="s")
    await stage.service.driver.settled(stack["StackId"])
    assert sorted(value["Kind"] for value in stage.shelf.things.values()) == ["x", "y"]
    assert ("A", "DELETE_SKIPPED") in await stage.events(stack["StackId"])


async def test_a_deletion_goes_in_reverse_and_stops_where_it_cannot(stage: Stage) -> None:
    stack = await stage.create({"A": thing(), "B": thing(Label={"Ref": "A"}), "C": thing()})
    stage.shelf.fail["Delete B"] = BROKEN
    await stage.call("DeleteStack", StackName="s")
    failed = await stage.settled()
    assert failed["StackStatus"] == "DELETE_FAILED"
    reason = failed["StackStatusReason"]
    assert reason.startswith("The following resource(s) failed to delete: [B]. ")
    assert "RetainResources" in reason
    assert "FORCE_DELETE_STACK" in reason
    assert stage.held().keys() == {"A", "B"}
    await stage.call("DeleteStack", StackName="s", RetainResources=["B"])
    await stage.service.driver.settled(stack["StackId"])
    assert (await stage.stack(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
    assert stage.held().keys() == {"B"}


async def test_deleting_a_stack_that_is_not_there_succeeds(stage: Stage) -> None:
    assert await stage.call("DeleteStack", StackName="none") == {}


async def test_a_protected_stack_is_not_deleted(stage: Stage) -> None:
    await stage.create({"A": thing()}, EnableTerminationProtection=True)
    answer = await stage.refused("DeleteStack", StackName="s")
    assert answer == ("ValidationError", "Stack [s] cannot be deleted while TerminationProtection is enabled")
    await stage.call("UpdateTerminationProtection", StackName="s", EnableTerminationProtection=False)
    await stage.call("DeleteStack", StackName="s")


async def test_one_operation_at_a_time_runs_on_a_stack(stage: Stage) -> None:
    await stage.create({"A": thing()})
    stage.shelf.gates["Update A"] = asyncio.Event()
    await stage.call("UpdateStack", StackName="s", TemplateBody=template({"A": thing(Size=1)}))
    for operation in ("UpdateStack", "DeleteStack"):
        code, message = await stage.refused(operation, StackName="s", TemplateBody=template({"A": thing(Size=2)}))
        assert code == "ValidationError"
        assert "is in UPDATE_IN_PROGRESS state" in message
    stage.shelf.gates["Update A"].set()
    assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"


async def test_a_stack_can_be_deleted_while_it_is_being_made(stage: Stage) -> None:
    stage.shelf.gates["Create A"] = asyncio.Event()
    made = await stage.call(
        "CreateStack", StackName="s", TemplateBody=template({"A": thing(), "B": thing(DependsOn="A")})
    )
    await stage.shelf.reached.setdefault("Create A", asyncio.Event()).wait()
    await stage.call("DeleteStack", StackName="s")
    await stage.service.driver.settled(made["StackId"])
    assert (await stage.stack(made["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
    assert stage.shelf.things == {}
    assert "Create B" not in stage.shelf.log


async def test_a_protected_stack_goes_on_being_made_when_its_deletion_is_refused(stage: Stage) -> None:
    stage.shelf.gates["Create A"] = asyncio.Event()
    body = template({"A": thing()})
    await stage.call("CreateStack", StackName="s", TemplateBody=body, EnableTerminationProtection=True)
    await stage.shelf.reached.setdefault("Create A", asyncio.Event()).wait()
    assert "TerminationProtection" in (await stage.refused("DeleteStack", StackName="s"))[1]
    stage.shelf.gates["Create A"].set()
    assert (await stage.settled())["StackStatus"] == "CREATE_COMPLETE"
    assert len(stage.shelf.things) == 1


async def test_an_update_can_be_cancelled_and_everything_comes_back(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1)})
    stage.shelf.gates["Update A"] = asyncio.Event()
    stage.shelf.reached.pop("Update A", None)
    await stage.call(
        "UpdateStack", StackName="s", TemplateBody=template({"A": thing(Size=2), "B": thing(DependsOn="A")})
    )
    await stage.shelf.reached.setdefault("Update A", asyncio.Event()).wait()
    del stage.shelf.gates["Update A"]
    await stage.call("CancelUpdateStack", StackName="s")
    assert (await stage.settled())["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.held() == {"A": {"Size": 1}}
    _, message = await stage.refused("CancelUpdateStack", StackName="s")
    assert message == "CancelUpdateStack cannot be called from current stack status, UPDATE_ROLLBACK_COMPLETE."


async def test_a_creation_that_takes_too_long_is_rolled_back(stage: Stage) -> None:
    stage.shelf.gates["Create A"] = asyncio.Event()
    body = template({"A": thing(), "B": thing(DependsOn="A")})
    await stage.call("CreateStack", StackName="s", TemplateBody=body, TimeoutInMinutes=1)
    await stage.shelf.reached.setdefault("Create A", asyncio.Event()).wait()
    stage.clock.advance(61)
    stage.shelf.gates["Create A"].set()
    stack = await stage.settled()
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stage.shelf.things == {}


async def test_resources_can_be_listed_and_described(stage: Stage) -> None:
    stack = await stage.create({"A": thing(), "B": thing()})
    rows = (await stage.call("ListStackResources", StackName="s"))["StackResourceSummaries"]
    assert [(row["LogicalResourceId"], row["ResourceStatus"]) for row in rows] == [
        ("A", "CREATE_COMPLETE"),
        ("B", "CREATE_COMPLETE"),
    ]
    physical_id = rows[0]["PhysicalResourceId"]
    found = (await stage.call("DescribeStackResources", PhysicalResourceId=physical_id))["StackResources"]
    assert {row["StackId"] for row in found} == {stack["StackId"]}
    detail = await stage.call("DescribeStackResource", StackName="s", LogicalResourceId="A")
    assert detail["StackResourceDetail"]["PhysicalResourceId"] == physical_id
    answer = await stage.refused("DescribeStackResource", StackName="s", LogicalResourceId="Z")
    assert answer == ("ValidationError", "Resource Z does not exist for stack s")


async def test_stacks_are_listed_in_pages_newest_first(stage: Stage) -> None:
    for number in range(101):
        stage.clock.advance(1)
        await stage.call("CreateChangeSet", StackName=f"s{number}", ChangeSetName="c", ChangeSetType="CREATE",
                         TemplateBody=template({"A": thing()}))  # fmt: skip
    first = await stage.call("DescribeStacks")
    assert [item["StackName"] for item in first["Stacks"]][:2] == ["s100", "s99"]
    second = await stage.call("DescribeStacks", NextToken=first["NextToken"])
    assert [item["StackName"] for item in second["Stacks"]] == ["s0"]
    assert "NextToken" not in second
    assert (await stage.refused("DescribeStacks", NextToken="?"))[1] == "Invalid NextToken."
    listed = await stage.call("ListStacks", StackStatusFilter=["CREATE_COMPLETE"])
    assert listed["StackSummaries"] == []


async def test_one_request_sent_several_times_at_once_is_one_operation(stage: Stage) -> None:
    await stage.create({"A": thing()})
    body = template({"A": thing(Size=2)})
    asked = {"StackName": "s", "ClientRequestToken": "mine"}
    await asyncio.gather(*(stage.call("UpdateStack", TemplateBody=body, **asked) for _ in range(4)))
    assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"
    assert (await stage.events()).count(("s", "UPDATE_IN_PROGRESS")) == 1
    await asyncio.gather(*(stage.call("DeleteStack", StackName="s") for _ in range(4)))


async def test_of_different_updates_at_once_one_is_carried_out(stage: Stage) -> None:
    await stage.create({"A": thing()}, ClientRequestToken="first")
    found = await asyncio.gather(
        *(stage.call("UpdateStack", StackName="s", TemplateBody=template({"A": thing(Size=n)})) for n in range(1, 6)),
        return_exceptions=True,
    )
    refused = [item for item in found if isinstance(item, ServiceError)]
    assert len(refused) == 4
    assert all("UPDATE_IN_PROGRESS state and can not be updated" in error.message for error in refused)
    assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"


async def test_long_lists_come_in_pages(stage: Stage) -> None:
    names = {f"A{number}" for number in range(250)}
    await stage.create({name: thing() for name in names})
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = await stage.call("ListStackResources", StackName="s", **token)
        assert len(page["StackResourceSummaries"]) <= 100
        found += [item["LogicalResourceId"] for item in page["StackResourceSummaries"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert len(found) == 250
    assert set(found) == names
    assert len(await stage.events()) == 3 * 250 + 2


@pytest.mark.parametrize(
    "operation",
    ["ListStackResources", "DescribeStackEvents", "DescribeStackResourceDrifts", "ListChangeSets", "ListStacks"],
)
async def test_a_token_that_is_none_is_refused(stage: Stage, operation: str) -> None:
    await stage.create({"A": thing()})
    named = {} if operation == "ListStacks" else {"StackName": "s"}
    assert await stage.refused(operation, NextToken="x", **named) == ("ValidationError", "Invalid NextToken.")
