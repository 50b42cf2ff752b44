"""What may be said of a stack's life: policies, rollbacks by wish, deletions by force, imports, tokens, notices."""

import asyncio
import json
from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.stacks import stack_policy

from .conftest import Stage, Thing, template, thing

pytestmark = pytest.mark.asyncio
BROKEN = ServiceError("Broken", "it broke")
POLICY = {
    "Statement": [
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "Update:Replace", "Principal": "*", "Resource": "LogicalResourceId/A"},
        {"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*",
         "Condition": {"StringLike": {"ResourceType": ["Test::*"]}}},
    ]
}  # fmt: skip


async def reasons(stage: Stage, status: str) -> list[str]:
    events = (await stage.call("DescribeStackEvents", StackName="s"))["StackEvents"]
    return [event.get("ResourceStatusReason", "") for event in events if event["ResourceStatus"] == status]


async def test_a_stack_policy_allows_and_denies_updates(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1, Kind="x"), "B": thing()}, StackPolicyBody=json.dumps(POLICY))
    assert json.loads((await stage.call("GetStackPolicy", StackName="s"))["StackPolicyBody"]) == POLICY
    assert (await stage.update({"A": thing(Size=2, Kind="x"), "B": thing()}))["StackStatus"] == "UPDATE_COMPLETE"
    assert (await stage.update({"A": thing(Size=2, Kind="y"), "B": thing()}))["StackStatus"] == (
        "UPDATE_ROLLBACK_COMPLETE"
    )
    denied = "Action denied by stack policy: Statement [#2] does not allow [Update:Replace] for resource "
    assert f"{denied}[LogicalResourceId/A]" in await reasons(stage, "UPDATE_FAILED")
    assert (await stage.update({"A": thing(Size=2, Kind="x")}))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.held().keys() == {"A", "B"}
    free = json.dumps({"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]})
    updated = await stage.update({"A": thing(Size=2, Kind="x")}, StackPolicyDuringUpdateBody=free)
    assert updated["StackStatus"] == "UPDATE_COMPLETE"
    assert stage.held().keys() == {"A"}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"Effect": "Maybe", "Action": "*", "Principal": "*", "Resource": "*"}, "Effect"),
        ({"Effect": "Deny", "Action": "s3:*", "Principal": "*", "Resource": "*"}, "Invalid action"),
        ({"Effect": "Deny", "Action": "*", "Principal": "me", "Resource": "*"}, "Principal"),
        ({"Effect": "Deny", "Action": "*", "Principal": "*", "Resource": "A"}, "Unknown logical id"),
        ({"Effect": "Deny", "Action": "*", "NotAction": "*", "Principal": "*", "Resource": "*"}, "one of"),
    ],
)
async def test_a_stack_policy_that_makes_no_sense_is_refused(statement: Any, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        stack_policy.parse(json.dumps({"Statement": [statement]}))


async def test_what_no_statement_allows_is_denied() -> None:
    policy = json.dumps({"Statement": {"Effect": "Allow", "NotAction": "Update:Delete", "Principal": "*",
                                       "NotResource": "LogicalResourceId/B*"}})  # fmt: skip
    assert stack_policy.objection(policy, "Update:Modify", "A", "T") is None
    assert stack_policy.objection(policy, "Update:Delete", "A", "T") is not None
    assert stack_policy.objection(policy, "Update:Modify", "Bx", "T") is not None


async def test_a_creation_that_stands_still_is_rolled_back_by_wish(stage: Stage) -> None:
    stage.shelf.fail["Create B"] = BROKEN
    stack = await stage.create({"A": thing(DeletionPolicy="Retain"), "B": thing(DependsOn="A")}, DisableRollback=True)
    assert stack["StackStatus"] == "CREATE_FAILED"
    await stage.call("RollbackStack", StackName="s", RetainExceptOnCreate=True)
    assert (await stage.settled())["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stage.shelf.things == {}


async def test_an_update_that_stands_still_is_rolled_back_by_wish_or_gone_on_with(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1), "B": thing(Size=1, DependsOn="A")})
    stage.shelf.fail["Update B"] = BROKEN
    new = {"A": thing(Size=2), "B": thing(Size=2, DependsOn="A"), "C": thing()}
    assert (await stage.update(new, DisableRollback=True))["StackStatus"] == "UPDATE_FAILED"
    del stage.shelf.fail["Update B"]
    await stage.call("RollbackStack", StackName="s")
    assert (await stage.settled())["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    held = stage.held()
    assert held.keys() == {"A", "B"}
    assert (held["A"]["Size"], held["B"]["Size"]) == (1, 1)
    assert "can not be rolled back" in (await stage.refused("RollbackStack", StackName="s"))[1]


async def test_a_rollback_goes_on_without_what_cannot_go_back(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1), "B": thing(Size=1, DependsOn="A")})
    stage.shelf.fail["Create C"] = BROKEN
    new = {"A": thing(Size=2), "B": thing(Size=2, DependsOn="A"), "C": thing(DependsOn="B")}

    def fail_afterwards() -> None:
        stage.shelf.fail["Update A"] = BROKEN

    stage.shelf.after = {"Update B": fail_afterwards}
    assert (await stage.update(new))["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    skipping = await stage.refused("ContinueUpdateRollback", StackName="s", ResourcesToSkip=["Nobody"])
    assert "must be in a failed state" in skipping[1]
    await stage.call("ContinueUpdateRollback", StackName="s", ResourcesToSkip=["A"])
    assert (await stage.settled())["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.held()["B"]["Size"] == 1


async def test_a_deletion_by_force_leaves_behind_what_cannot_be_deleted(stage: Stage) -> None:
    stack = await stage.create({"A": thing(), "B": thing()})
    stage.shelf.fail["Delete A"] = BROKEN
    refused = await stage.refused("DeleteStack", StackName="s", DeletionMode="FORCE_DELETE_STACK")
    assert "DELETE_FAILED state" in refused[1]
    await stage.call("DeleteStack", StackName="s")
    assert (await stage.settled(stack["StackId"]))["StackStatus"] == "DELETE_FAILED"
    await stage.call("DeleteStack", StackName="s", DeletionMode="FORCE_DELETE_STACK")
    assert (await stage.settled(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
    assert stage.held().keys() == {"A"}


async def test_a_request_that_is_repeated_with_its_token_changes_nothing_more(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1)}, ClientRequestToken="one")
    body = template({"A": thing(Size=2)})
    first = await stage.call("UpdateStack", StackName="s", TemplateBody=body, ClientRequestToken="two")
    await stage.settled()
    again = await stage.call("UpdateStack", StackName="s", TemplateBody=body, ClientRequestToken="two")
    assert first == again
    assert "No updates" in (await stage.refused("UpdateStack", StackName="s", TemplateBody=body))[1]
    events = (await stage.call("DescribeStackEvents", StackName="s"))["StackEvents"]
    assert {event["ClientRequestToken"] for event in events} == {"one", "two"}


async def imported(stage: Stage, resources: Any, name: str, identifier: str) -> dict[str, Any]:
    await stage.call(
        "CreateChangeSet",
        StackName="s",
        ChangeSetName="import",
        ChangeSetType="IMPORT",
        TemplateBody=template(resources),
        ResourcesToImport=[
            {"ResourceType": Thing.name, "LogicalResourceId": name, "ResourceIdentifier": {"Name": identifier}}
        ],
    )
    (change,) = (await stage.call("DescribeChangeSet", ChangeSetName="import", StackName="s"))["Changes"]
    assert change["ResourceChange"]["Action"] == "Import"
    await stage.call("ExecuteChangeSet", ChangeSetName="import", StackName="s")
    return await stage.settled()


async def test_what_exists_is_imported_and_belongs_to_the_stack_then(stage: Stage) -> None:
    await stage.create({"A": thing()})
    stage.shelf.things["mine"] = {"Name": "mine"}
    both = {"A": thing(), "M": thing(Name="mine", DeletionPolicy="Retain")}
    assert (await imported(stage, both, "M", "mine"))["StackStatus"] == "IMPORT_COMPLETE"
    assert ("M", "IMPORT_COMPLETE") in await stage.events()
    assert (await stage.update({"A": thing(), "M": thing(Name="mine", Size=3)}))["StackStatus"] == "UPDATE_COMPLETE"
    assert stage.held()["mine"]["Size"] == 3


async def test_an_import_of_what_is_not_there_is_taken_back(stage: Stage) -> None:
    await stage.create({"A": thing()})
    both = {"A": thing(), "M": thing(Name="mine", DeletionPolicy="Retain")}
    assert (await imported(stage, both, "M", "mine"))["StackStatus"] == "IMPORT_ROLLBACK_COMPLETE"
    assert stage.held().keys() == {"A"}
    assert "does not exist" in (await reasons(stage, "IMPORT_FAILED"))[0]


async def test_a_change_set_imports_what_exists_already_where_that_is_wished(stage: Stage) -> None:
    stage.shelf.things["mine"] = {"Name": "mine"}
    await stage.call(
        "CreateChangeSet", StackName="s", ChangeSetName="c", ChangeSetType="CREATE", ImportExistingResources=True,
        TemplateBody=template({"A": thing(), "M": thing(Name="mine")}),
    )  # fmt: skip
    changes = (await stage.call("DescribeChangeSet", ChangeSetName="c", StackName="s"))["Changes"]
    actions = {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"]["Action"] for change in changes}
    assert actions == {"A": "Add", "M": "Import"}
    await stage.call("ExecuteChangeSet", ChangeSetName="c", StackName="s")
    assert (await stage.settled())["StackStatus"] == "CREATE_COMPLETE"
    assert stage.held().keys() == {"A", "mine"}


async def test_a_change_set_that_an_update_overtook_is_obsolete(stage: Stage) -> None:
    await stage.create({"A": thing(Size=1)})
    await stage.call("CreateChangeSet", StackName="s", ChangeSetName="c", TemplateBody=template({"A": thing(Size=2)}))
    await stage.update({"A": thing(Size=3)})
    found = await stage.call("DescribeChangeSet", StackName="s", ChangeSetName="c")
    assert found["ExecutionStatus"] == "OBSOLETE"
    code, message = await stage.refused("ExecuteChangeSet", StackName="s", ChangeSetName="c")
    assert (code, "[OBSOLETE]" in message) == ("InvalidChangeSetStatus", True)


def nested(size: int) -> dict[str, Any]:
    """A stack with one in it, which has two things, and something that comes after."""
    return {
        "Inner": {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {"TemplateURL": "s3://b/inner.json", "Parameters": {"Size": str(size)}},
        },
        "After": thing(Size=size, DependsOn="Inner"),
    }


INNER = {"A": thing(Size={"Ref": "Size"}), "B": thing(Size={"Ref": "Size"}, DependsOn="A")}


async def test_a_rollback_leaves_out_what_is_named_inside_of_a_nested_stack(stage: Stage) -> None:
    inner = template(INNER, Parameters={"Size": {"Type": "Number"}})
    stage.code.objects["b", "inner.json"] = inner.encode()
    await stage.create(nested(1))
    stage.shelf.fail["Update After"] = BROKEN

    def fail_afterwards() -> None:
        stage.shelf.fail["Update A"] = BROKEN

    stage.shelf.after = {"Update B": fail_afterwards}
    assert (await stage.update(nested(2)))["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    stacks = (await stage.call("DescribeStacks"))["Stacks"]
    (child,) = [stack for stack in stacks if "ParentId" in stack]
    assert child["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert "root stack" in (await stage.refused("ContinueUpdateRollback", StackName=child["StackId"]))[1]
    del stage.shelf.fail["Update After"]
    await stage.call("ContinueUpdateRollback", StackName="s", ResourcesToSkip=["Inner.A"])
    assert (await stage.settled())["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (await stage.stack(child["StackId"]))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    held = stage.held()
    assert (held["A"]["Size"], held["B"]["Size"], held["After"]["Size"]) == (2, 1, 1)


async def test_a_restart_goes_on_with_nested_stacks_wherever_they_are(stage: Stage) -> None:
    stage.code.objects["b", "inner.json"] = template(INNER, Parameters={"Size": {"Type": "Number"}}).encode()
    await stage.create(nested(1))
    await stage.call("UpdateStack", StackName="s", TemplateBody=template(nested(2)))
    for _ in range(8):
        for _ in range(12):
            await asyncio.sleep(0)
        await stage.restart()
    assert (await stage.settled())["StackStatus"] == "UPDATE_COMPLETE"
    assert {name: held["Size"] for name, held in stage.held().items()} == {"A": 2, "B": 2, "After": 2}
    stacks = (await stage.call("DescribeStacks"))["Stacks"]
    assert {stack["StackStatus"] for stack in stacks} == {"UPDATE_COMPLETE"}
