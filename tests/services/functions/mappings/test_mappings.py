"""Operations on event source mappings, with a real queue as the source."""

from typing import Any

import pytest

from tests.services.functions.conftest import OpenStage
from tests.services.functions.mappings.staging import MappingStage, queue_arn
from tests.services.functions.stage import ACCOUNT, ARN, REGION


@pytest.fixture
async def at(open_stage: OpenStage) -> MappingStage:
    stage = MappingStage(await open_stage())
    await stage.stage.create()
    await stage.make_queue()
    return stage


async def test_a_mapping_of_a_queue_has_the_defaults_of_queues_and_is_enabled_soon(at: MappingStage) -> None:
    made = await at.map()
    uuid = made["UUID"]
    assert made | {"LastModified": None} == {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{uuid}",
        "EventSourceArn": queue_arn("q"),
        "FunctionArn": f"{ARN}f",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "LastModified": None,
    }
    await at.settled(uuid)
    assert (await at.stage.call("GetEventSourceMapping", UUID=uuid))["State"] == "Enabled"


async def test_a_mapping_that_is_made_disabled_is_disabled_until_it_is_enabled(at: MappingStage) -> None:
    made = await at.map(Enabled=False)
    assert made["State"] == "Disabled"
    assert (await at.stage.call("UpdateEventSourceMapping", UUID=made["UUID"], Enabled=True))["State"] == "Enabling"
    await at.settled(made["UUID"])
    assert (await at.stage.call("GetEventSourceMapping", UUID=made["UUID"]))["State"] == "Enabled"
    assert (await at.stage.call("UpdateEventSourceMapping", UUID=made["UUID"], Enabled=False))["State"] == "Disabling"
    await at.settled(made["UUID"])
    assert (await at.stage.call("GetEventSourceMapping", UUID=made["UUID"]))["State"] == "Disabled"


async def test_a_change_shows_what_it_changed_and_that_it_is_under_way(at: MappingStage) -> None:
    made = await at.map()
    changed = await at.stage.call(
        "UpdateEventSourceMapping",
        UUID=made["UUID"],
        BatchSize=100,
        MaximumBatchingWindowInSeconds=5,
        ScalingConfig={"MaximumConcurrency": 7},
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]},
        MetricsConfig={"Metrics": ["EventCount"]},
    )
    assert changed["State"] == "Updating"
    await at.settled(made["UUID"])
    shown = await at.stage.call("GetEventSourceMapping", UUID=made["UUID"])
    assert shown["State"] == "Enabled"
    assert (shown["BatchSize"], shown["MaximumBatchingWindowInSeconds"]) == (100, 5)
    assert shown["ScalingConfig"] == {"MaximumConcurrency": 7}
    assert shown["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert shown["FilterCriteria"] == {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}
    assert shown["MetricsConfig"] == {"Metrics": ["EventCount"]}


async def test_empty_settings_take_back_what_was_set(at: MappingStage) -> None:
    made = await at.map(
        ScalingConfig={"MaximumConcurrency": 7},
        FilterCriteria={"Filters": [{"Pattern": '{"body": ["x"]}'}]},
    )
    await at.stage.call("UpdateEventSourceMapping", UUID=made["UUID"], ScalingConfig={}, FilterCriteria={})
    shown = await at.stage.call("GetEventSourceMapping", UUID=made["UUID"])
    assert "ScalingConfig" not in shown
    assert "FilterCriteria" not in shown


async def test_a_mapping_can_be_led_to_another_function(at: MappingStage) -> None:
    made = await at.map()
    await at.stage.create("g")
    changed = await at.stage.call("UpdateEventSourceMapping", UUID=made["UUID"], FunctionName="g")
    assert changed["FunctionArn"] == f"{ARN}g"


async def test_a_mapping_that_is_deleted_is_deleting_and_then_gone(at: MappingStage) -> None:
    made = await at.map()
    await at.settled(made["UUID"])
    assert (await at.stage.call("DeleteEventSourceMapping", UUID=made["UUID"]))["State"] == "Deleting"
    await at.settled(made["UUID"])
    error = await at.stage.refusal("GetEventSourceMapping", UUID=made["UUID"])
    assert (error.code, error.message) == ("ResourceNotFoundException", "The resource you requested does not exist.")
    assert (await at.map())["State"] == "Creating"


@pytest.mark.parametrize("name", ["GetEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping"])
async def test_what_is_not_there_is_not_found(at: MappingStage, name: str) -> None:
    error = await at.stage.refusal(name, UUID="00000000-0000-0000-0000-000000000000")
    assert (error.code, error.message) == ("ResourceNotFoundException", "The resource you requested does not exist.")


async def test_a_second_mapping_of_a_queue_for_a_function_is_refused_and_the_first_is_named(at: MappingStage) -> None:
    made = await at.map()
    error = await at.stage.refusal("CreateEventSourceMapping", FunctionName="f", EventSourceArn=queue_arn("q"))
    assert error.code == "ResourceConflictException"
    assert error.message == (
        f'An event source mapping with SQS arn (" {queue_arn("q")} ") and function (" f ") already exists. '
        f"Please update or delete the existing mapping with UUID {made['UUID']}"
    )


async def test_mappings_are_listed_in_pages_by_source_and_by_function(at: MappingStage) -> None:
    await at.stage.create("g")
    uuids = set()
    for name in ("a", "b", "c"):
        await at.make_queue(name)
        uuids.add((await at.map(EventSourceArn=queue_arn(name)))["UUID"])
    other = (await at.map(FunctionName="g", EventSourceArn=queue_arn("a")))["UUID"]

    async def listed(**params: Any) -> set[str]:
        found: list[str] = []
        marker: dict[str, str] = {}
        while True:
            page = await at.stage.call("ListEventSourceMappings", MaxItems=2, **params, **marker)
            found += [each["UUID"] for each in page["EventSourceMappings"]]
            assert len(page["EventSourceMappings"]) <= 2
            if "NextMarker" not in page:
                assert len(found) == len(set(found))
                return set(found)
            marker = {"Marker": page["NextMarker"]}

    assert await listed() == uuids | {other}
    assert await listed(FunctionName="f") == uuids
    assert await listed(FunctionName=f"{ARN}g") == {other}
    assert await listed(FunctionName="f:live") == set()
    assert len(await listed(EventSourceArn=queue_arn("a"))) == 2
    assert await listed(EventSourceArn=queue_arn("a"), FunctionName="g") == {other}


async def test_mappings_survive_a_restart_and_outlive_their_function(at: MappingStage, open_stage: OpenStage) -> None:
    made = await at.map()
    await at.settled(made["UUID"])
    await at.stage.call("DeleteFunction", FunctionName="f")
    await at.stage.stop(grace_s=0)
    again = MappingStage(await open_stage())
    shown = await again.stage.call("GetEventSourceMapping", UUID=made["UUID"])
    assert shown["State"] == "Enabled"


async def test_what_a_dead_process_left_under_way_is_brought_to_its_end(
    at: MappingStage, open_stage: OpenStage
) -> None:
    await at.stage.stop(grace_s=0)  # nothing keeps mappings from here on
    made = await at.map()
    deleted = await at.map(EventSourceArn=queue_arn(await at.make_queue("r")), Enabled=False)
    await at.stage.call("DeleteEventSourceMapping", UUID=deleted["UUID"])
    again = MappingStage(await open_stage())
    await again.state(made["UUID"], "Enabled")
    await again.gone(deleted["UUID"])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"EventSourceArn": None}, "Unrecognized event source."),
    ({"FunctionName": "absent"}, "Function does not exist"),
    (
        {"EventSourceArn": queue_arn("absent")},
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
        "SQS Error Message: The specified queue does not exist.",
    ),
    (
        {"BatchSize": 11},
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    ),
    (
        {"EventSourceArn": queue_arn("q.fifo"), "MaximumBatchingWindowInSeconds": 1},
        "Batching window is not supported for FIFO queues",
    ),
    ({"FilterCriteria": {"Filters": [{"Pattern": "null"}]}}, "Invalid filter pattern definition."),
    ({"FilterCriteria": {"Filters": [{"Pattern": "simple string"}]}}, "Invalid filter pattern definition."),
    (
        {"FilterCriteria": {"Filters": [{"Pattern": '{"eventSource": "aws:sqs"}'}]}},
        "Invalid filter pattern definition.",
    ),
    ({"FilterCriteria": {"Filters": [{"Pattern": '{"eventSource": []}'}]}}, "Invalid filter pattern definition."),
    (
        {"DestinationConfig": {"OnFailure": {"Destination": queue_arn("q")}}},
        "Unsupported DestinationConfig parameter for given event source mapping type.",
    ),
    ({"StartingPosition": "LATEST"}, "StartingPosition is not valid for SQS event sources."),
    (
        {"ParallelizationFactor": 2},
        "Unsupported ParallelizationFactor parameter for given event source mapping type.",
    ),
    (
        {"ProvisionedPollerConfig": {"MinimumPollers": 1}},
        "ProvisionedPollerConfig must have 2 <= MinimumPollers <= MaximumPollers <= 10000, not 1 and 200.",
    ),
    (
        {"ProvisionedPollerConfig": {"MinimumPollers": 2}, "ScalingConfig": {"MaximumConcurrency": 2}},
        "ScalingConfig and ProvisionedPollerConfig are mutually exclusive: leave one of them out.",
    ),
    (
        {"MetricsConfig": {"Metrics": ["KafkaMetrics"]}},
        "Unsupported MetricsConfig KafkaMetrics parameter for given event source mapping type.",
    ),
]


@pytest.mark.parametrize(("params", "message"), REFUSED)
async def test_what_a_queue_cannot_be_mapped_with_is_refused(
    at: MappingStage, params: dict[str, Any], message: str
) -> None:
    await at.make_queue("q.fifo")
    asked = {"FunctionName": "f", "EventSourceArn": queue_arn("q"), **params}
    error = await at.stage.refusal(
        "CreateEventSourceMapping", **{name: value for name, value in asked.items() if value is not None}
    )
    assert (error.code, error.message) == ("InvalidParameterValueException", message)


async def test_a_queue_that_shows_messages_again_before_the_function_must_end_is_refused(at: MappingStage) -> None:
    await at.stage.create("slow", Timeout=60)
    error = await at.stage.refusal("CreateEventSourceMapping", FunctionName="slow", EventSourceArn=queue_arn("q"))
    assert error.message == "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"KMSKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"}, "KMSKeyArn of event source mappings"),
        ({"EventSourceArn": f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:b:b-1", "Queues": ["q"]}, "brokers of Amazon MQ"),
        ({"EventSourceArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:c"}, "change streams of Amazon DocumentDB"),
    ],
)
async def test_what_there_is_not_is_refused_by_name(at: MappingStage, params: dict[str, Any], what: str) -> None:
    error = await at.stage.refusal(
        "CreateEventSourceMapping", **{"FunctionName": "f", "EventSourceArn": queue_arn("q"), **params}
    )
    assert error.code == "InvalidParameterValueException"
    assert error.message.startswith(f"Mayfly does not implement {what}")


async def test_a_role_that_is_gone_cannot_read_a_queue(at: MappingStage) -> None:
    at.stage.roles.known.clear()
    error = await at.stage.refusal("CreateEventSourceMapping", FunctionName="f", EventSourceArn=queue_arn("q"))
    assert error.message == "The role defined for the function cannot be assumed by Lambda."


async def test_a_mapping_reads_for_an_alias_where_it_names_one(at: MappingStage) -> None:
    await at.stage.call("PublishVersion", FunctionName="f")
    await at.stage.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    assert (await at.map(FunctionName="f:live"))["FunctionArn"] == f"{ARN}f:live"
    assert (await at.map(FunctionName=f"{ARN}f:1"))["FunctionArn"] == f"{ARN}f:1"
    assert len((await at.stage.call("ListEventSourceMappings", FunctionName="f"))["EventSourceMappings"]) == 2


async def test_a_mapping_has_tags(at: MappingStage) -> None:
    arn = (await at.map(Tags={"a": "1", "b": "2"}))["EventSourceMappingArn"]
    await at.stage.call("TagResource", Resource=arn, Tags={"c": "3"})
    await at.stage.call("UntagResource", Resource=arn, TagKeys=["a"])
    assert (await at.stage.call("ListTags", Resource=arn))["Tags"] == {"b": "2", "c": "3"}
    absent = arn.rpartition(":")[0] + ":00000000-0000-0000-0000-000000000000"
    assert (await at.stage.refusal("ListTags", Resource=absent)).code == "ResourceNotFoundException"
