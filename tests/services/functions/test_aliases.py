"""Aliases: where they lead, how they share calls, and what hangs on them."""

import json
from typing import Any

import pytest

from mayfly.engine.api import Failure
from tests.services.functions.conftest import OpenStage
from tests.services.functions.stage import ARN, Stage, failed, ok, zipped


async def two_versions(stage: Stage) -> None:
    await stage.create()
    await stage.call("PublishVersion", FunctionName="f")
    await stage.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await stage.call("PublishVersion", FunctionName="f")


async def alias(stage: Stage, name: str = "live", version: str = "1", **params: Any) -> Any:
    return await stage.call("CreateAlias", FunctionName="f", Name=name, FunctionVersion=version, **params)


def routing(**weights: float) -> dict[str, Any]:
    return {"RoutingConfig": {"AdditionalVersionWeights": {name.strip("v"): share for name, share in weights.items()}}}


async def test_an_alias_leads_to_its_version(stage: Stage) -> None:
    await two_versions(stage)
    made = await alias(stage, Description="for customers")
    assert made == {
        "AliasArn": f"{ARN}f:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "for customers",
        "RevisionId": made["RevisionId"],
    }
    assert await stage.call("GetAlias", FunctionName="f", Name="live") == made

    reply = await stage.call("Invoke", FunctionName="f", Qualifier="live")
    assert reply["ExecutedVersion"] == "1"
    assert stage.engine.calls[0][1].arn == f"{ARN}f:live"
    shown = await stage.call("GetFunctionConfiguration", FunctionName="f:live")
    assert (shown["FunctionArn"], shown["Version"]) == (f"{ARN}f:live", "1")

    await stage.call("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    assert (await stage.call("Invoke", FunctionName=f"{ARN}f:live"))["ExecutedVersion"] == "2"


async def test_a_version_and_its_aliases_share_instances(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage)
    for qualifier in ("1", "live"):
        await stage.call("Invoke", FunctionName="f", Qualifier=qualifier)
    assert len({target.key for target, _ in stage.engine.calls}) == 1


async def test_an_alias_of_the_unpublished_version_follows_it(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage, "edge", "$LATEST")
    await stage.call("Invoke", FunctionName="f", Qualifier="edge")
    await stage.call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped({"app.py": "x = 1"}))
    assert stage.engine.retired == [stage.engine.calls[0][0].key]
    await stage.call("Invoke", FunctionName="f", Qualifier="edge")
    before, after = (target.key for target, _ in stage.engine.calls)
    assert before != after


async def test_ten_thousand_calls_are_shared_by_weight(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage, **routing(v2=0.2))
    entry = await stage.functions.catalog.get("f", "live")
    versions = [entry.pick().version for _ in range(10_000)]
    assert abs(versions.count("2") - 2000) < 10
    replies = [await stage.call("Invoke", FunctionName="f", Qualifier="live") for _ in range(40)]
    assert {reply["ExecutedVersion"] for reply in replies} == {"1", "2"}


async def test_shares_hold_over_restarts_and_changes(open_stage: OpenStage) -> None:
    """Turns begin anew at a place of their own each time, so that no version is favoured: 10,000 calls in 100 parts lie
    within three standard deviations of drawing lots."""
    stage = await open_stage()
    await two_versions(stage)
    await alias(stage, **routing(v2=0.2))
    counted = 0
    for part in range(100):
        if part % 10 == 9:
            await stage.stop(grace_s=0)
            stage = await open_stage()
        else:
            await stage.call("UpdateAlias", FunctionName="f", Name="live", Description=f"{part}")
        entry = await stage.functions.catalog.get("f", "live")
        counted += [entry.pick().version for _ in range(100)].count("2")
    assert abs(counted - 2000) < 3 * (10_000 * 0.2 * 0.8) ** 0.5


async def test_weights_are_changed_and_taken_back(stage: Stage) -> None:
    await two_versions(stage)
    made = await alias(stage, **routing(v2=1.0))
    assert made["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 1.0}}
    assert (await stage.call("Invoke", FunctionName="f", Qualifier="live"))["ExecutedVersion"] == "2"
    described = await stage.call("UpdateAlias", FunctionName="f", Name="live", Description="canary")
    assert described["RoutingConfig"] == made["RoutingConfig"]
    changed = await stage.call("UpdateAlias", FunctionName="f", Name="live", RoutingConfig={})
    assert "RoutingConfig" not in changed
    assert (await stage.call("Invoke", FunctionName="f", Qualifier="live"))["ExecutedVersion"] == "1"


@pytest.mark.parametrize(
    ("version", "weights", "code", "message"),
    [
        (
            "1",
            {"v2": 0.1, "v3": 0.1},
            "Invalid",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            "1",
            {"v1": 0.5},
            "Invalid",
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        ("$LATEST", {"v2": 0.5}, "Invalid", "$LATEST is not supported for an alias pointing to more than 1 version"),
        ("10", {}, "NotFound", f"Function not found: {ARN}f:10"),
        ("1", {"v10": 0.5}, "NotFound", f"Function not found: {ARN}f:10"),
    ],
)
async def test_versions_that_cannot_be_are_refused(
    stage: Stage, version: str, weights: dict[str, float], code: str, message: str
) -> None:
    await two_versions(stage)
    params = {"FunctionName": "f", "Name": "live", "FunctionVersion": version, **routing(**weights)}
    refused = await stage.refusal("CreateAlias", **params)
    assert refused.message == message
    assert refused.code.startswith({"Invalid": "InvalidParameterValue", "NotFound": "ResourceNotFound"}[code])
    assert (await stage.call("ListAliases", FunctionName="f"))["Aliases"] == []
    await alias(stage, "good", "1")
    assert (await stage.refusal("UpdateAlias", **{**params, "Name": "good"})).message == message


async def test_what_is_refused_of_names(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage)
    taken = await stage.refusal("CreateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    assert (taken.code, taken.message) == ("ResourceConflictException", f"Alias already exists: {ARN}f:live")
    missing = await stage.refusal("CreateAlias", FunctionName="g", Name="live", FunctionVersion="1")
    assert missing.message == f"Function not found: {ARN}g:1"
    for operation, message in (("GetAlias", "Cannot find alias arn"), ("UpdateAlias", "Alias not found")):
        refused = await stage.refusal(operation, FunctionName="f", Name="none")
        assert (refused.status, refused.message) == (404, f"{message}: {ARN}f:none")
    assert await stage.call("DeleteAlias", FunctionName="f", Name="none") == {}
    assert (await stage.refusal("ListAliases", FunctionName="g")).message == f"Function not found: {ARN}g"


async def test_a_stale_revision_changes_nothing(stage: Stage) -> None:
    await two_versions(stage)
    made = await alias(stage)
    params = {"FunctionName": "f", "Name": "live", "FunctionVersion": "2"}
    refused = await stage.refusal("UpdateAlias", **params, RevisionId="another")
    assert (refused.code, refused.status) == ("PreconditionFailedException", 412)
    assert await stage.call("GetAlias", FunctionName="f", Name="live") == made
    changed = await stage.call("UpdateAlias", **params, RevisionId=made["RevisionId"])
    assert changed["RevisionId"] != made["RevisionId"]


async def test_aliases_are_listed_by_name_by_version_and_in_pages(stage: Stage) -> None:
    await two_versions(stage)
    for name, version in (("d", "1"), ("a", "2"), ("c", "1"), ("b", "1")):
        await alias(stage, name, version)
    await stage.call("UpdateAlias", FunctionName="f", Name="a", **routing(v1=0.3))
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = await stage.call("ListAliases", FunctionName="f", MaxItems=3, **marker)
        seen += [each["Name"] for each in page["Aliases"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert seen == ["a", "b", "c", "d"]
    of_two = await stage.call("ListAliases", FunctionName="f", FunctionVersion="2")
    assert [each["Name"] for each in of_two["Aliases"]] == ["a"]
    of_one = await stage.call("ListAliases", FunctionName="f", FunctionVersion="1")
    assert [each["Name"] for each in of_one["Aliases"]] == ["a", "b", "c", "d"]


async def test_a_version_behind_weights_cannot_be_deleted(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage, **routing(v2=0.0))
    refused = await stage.refusal("DeleteFunction", FunctionName="f", Qualifier="2")
    assert refused.message == "Unable to delete version because the following aliases reference it: [live]"


async def test_an_alias_that_is_gone_cannot_be_invoked(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage)
    await stage.call("Invoke", FunctionName="f", Qualifier="live")
    await stage.call("DeleteAlias", FunctionName="f", Name="live")
    refused = await stage.refusal("Invoke", FunctionName="f", Qualifier="live")
    assert (refused.code, refused.message) == ("ResourceNotFoundException", f"Function not found: {ARN}f:live")


# What hangs on versions and aliases.


@pytest.mark.parametrize("qualifier", ["live", "1"])
async def test_permissions_of_a_qualifier_are_its_own(stage: Stage, qualifier: str) -> None:
    await two_versions(stage)
    await alias(stage)
    params = {"FunctionName": "f", "StatementId": "s3", "Action": "lambda:InvokeFunction"}
    params |= {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b"}
    added = await stage.call("AddPermission", Qualifier=qualifier, **params)
    assert json.loads(added["Statement"])["Resource"] == f"{ARN}f:{qualifier}"
    policy = await stage.call("GetPolicy", FunctionName="f", Qualifier=qualifier)
    assert json.loads(policy["Policy"])["Statement"] == [json.loads(added["Statement"])]
    assert (await stage.refusal("GetPolicy", FunctionName="f")).status == 404
    stale = await stage.refusal(
        "AddPermission", Qualifier=qualifier, RevisionId="another", **{**params, "StatementId": "x"}
    )
    assert stale.message.endswith("Call the GetPolicy API to retrieve the latest Revision Id")

    targets = stage.functions.event_targets
    await targets.check(f"{ARN}f:{qualifier}", "s3.amazonaws.com", "arn:aws:s3:::b", "")
    with pytest.raises(Exception, match="does not let"):
        await targets.check(f"{ARN}f", "s3.amazonaws.com", "arn:aws:s3:::b", "")
    await stage.call("RemovePermission", FunctionName="f", StatementId="s3", Qualifier=qualifier)
    assert (await stage.refusal("GetPolicy", FunctionName="f", Qualifier=qualifier)).status == 404
    with pytest.raises(Exception, match="does not let"):
        await targets.check(f"{ARN}f:{qualifier}", "s3.amazonaws.com", "arn:aws:s3:::b", "")


async def test_permissions_need_something_to_hang_on(stage: Stage) -> None:
    await two_versions(stage)
    params = {"FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}
    assert (await stage.refusal("AddPermission", Qualifier="none", **params)).message == (
        f"Cannot find alias arn: {ARN}f:none"
    )
    assert (await stage.refusal("AddPermission", Qualifier="7", **params)).message == f"Function not found: {ARN}f:7"
    refused = await stage.refusal("AddPermission", Qualifier="$LATEST", **params)
    assert refused.message == "We currently do not support adding policies for $LATEST."


async def test_an_event_for_an_alias_follows_the_aliass_settings(stage: Stage) -> None:
    await two_versions(stage)
    await stage.create("told")
    await alias(stage, version="2")
    put = await stage.call(
        "PutFunctionEventInvokeConfig",
        FunctionName="f",
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"{ARN}told"}},
    )
    assert put["FunctionArn"] == f"{ARN}f:live"
    assert (await stage.refusal("GetFunctionEventInvokeConfig", FunctionName="f")).status == 404
    stage.engine.script = lambda target, call: (
        ok() if "told" in target.function else failed(Failure("raised", b'{"errorMessage": "no"}'))
    )
    await stage.call("Invoke", FunctionName="f:live", InvocationType="Event", Payload=b"{}")
    await stage.drained()
    (_, first), (_, told) = stage.engine.calls
    assert first.arn == f"{ARN}f:live"
    record = json.loads(told.payload)
    assert record["requestContext"]["functionArn"] == f"{ARN}f:live"
    assert record["responseContext"]["executedVersion"] == "2"


async def test_settings_are_listed_for_every_qualifier(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage)
    for qualifier in ({}, {"Qualifier": "1"}, {"Qualifier": "live"}):
        await stage.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=1, **qualifier)
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = await stage.call("ListFunctionEventInvokeConfigs", FunctionName="f", MaxItems=2, **marker)
        seen += [each["FunctionArn"].removeprefix(f"{ARN}f:") for each in page["FunctionEventInvokeConfigs"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert seen == ["$LATEST", "1", "live"]
    await stage.call("DeleteFunctionEventInvokeConfig", FunctionName="f", Qualifier="live")
    left = await stage.call("ListFunctionEventInvokeConfigs", FunctionName="f")
    assert len(left["FunctionEventInvokeConfigs"]) == 2
    for missing in ("7", "none"):
        refused = await stage.refusal(
            "PutFunctionEventInvokeConfig", FunctionName="f", Qualifier=missing, MaximumRetryAttempts=1
        )
        assert refused.message == "The function doesn't exist."


async def test_an_aliass_url_leads_to_its_version(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage, version="2")
    own = await stage.call("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
    made = await stage.call("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    assert made["FunctionArn"] == f"{ARN}f:live"
    assert made["FunctionUrl"] != own["FunctionUrl"]
    taken = await stage.refusal("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    assert f"[functionArn = {ARN}f:live]" in taken.message
    url_id = made["FunctionUrl"].rstrip("/").rpartition("/")[2]
    entry = await stage.functions.catalog.by_url(url_id)
    assert entry is not None
    assert (entry.qualifier, entry.pick().version) == ("live", "2")

    listed = await stage.call("ListFunctionUrlConfigs", FunctionName="f", MaxItems=1)
    more = await stage.call("ListFunctionUrlConfigs", FunctionName="f", MaxItems=1, Marker=listed["NextMarker"])
    arns = [each["FunctionArn"] for page in (listed, more) for each in page["FunctionUrlConfigs"]]
    assert arns == [f"{ARN}f", f"{ARN}f:live"]
    assert "NextMarker" not in more

    await stage.call("DeleteAlias", FunctionName="f", Name="live")
    assert await stage.functions.catalog.by_url(url_id) is None
    missing = await stage.refusal("GetFunctionUrlConfig", FunctionName="f", Qualifier="live")
    assert missing.status == 404
    assert (
        await stage.refusal("CreateFunctionUrlConfig", FunctionName="f", Qualifier="1", AuthType="NONE")
    ).status == 404


async def test_an_event_for_an_alias_that_went_is_given_up(stage: Stage) -> None:
    await two_versions(stage)
    await alias(stage)
    stage.engine.script = lambda target, call: failed(Failure("raised", b"{}"))
    await stage.call("Invoke", FunctionName="f:live", InvocationType="Event", Payload=b"{}")
    await stage.queue.seen("retry", 1)
    await stage.call("DeleteAlias", FunctionName="f", Name="live")
    stage.pass_time(120)
    await stage.queue.seen("bury", 1)
    assert len(stage.engine.calls) == 1


async def test_an_alias_may_be_named_by_its_own_arn(stage: Stage) -> None:
    await two_versions(stage)
    made = await alias(stage)
    assert await stage.call("GetAlias", FunctionName=f"{ARN}f:live", Name="live") == made
    refused = await stage.refusal("GetAlias", FunctionName=f"{ARN}f:other", Name="live")
    assert refused.message == "The derived qualifier from the function name does not match the specified qualifier."
    moved = await stage.call("UpdateAlias", FunctionName=f"{ARN}f:live", Name="live", FunctionVersion="2")
    assert moved["FunctionVersion"] == "2"
    await stage.call("DeleteAlias", FunctionName="f:live", Name="live")
    assert (await stage.refusal("GetAlias", FunctionName="f", Name="live")).status == 404
