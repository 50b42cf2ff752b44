"""Tables as resources."""

import pytest

from .conftest import Tables


async def test_a_new_table_is_described_as_active_and_empty(tables: Tables) -> None:
    created = await tables.make(range_type="N")
    described = (await tables.call("DescribeTable", TableName="things"))["Table"]
    assert described == created
    assert described["TableStatus"] == "ACTIVE"
    assert (described["ItemCount"], described["TableSizeBytes"]) == (0, 0)
    assert described["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/things"
    assert described["KeySchema"] == [
        {"AttributeName": "id", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


async def test_a_table_can_be_named_by_its_arn(tables: Tables) -> None:
    created = await tables.make()
    assert (await tables.call("DescribeTable", TableName=created["TableArn"]))["Table"] == created


async def test_a_name_is_taken_once_a_region(tables: Tables) -> None:
    await tables.make()
    error = await tables.refused(
        "CreateTable",
        TableName="things",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert (error.code, error.message) == ("ResourceInUseException", "Table already exists: things")
    elsewhere = Tables(tables.service, "eu-west-1")
    await elsewhere.make()
    assert (await elsewhere.call("ListTables"))["TableNames"] == ["things"]


@pytest.mark.parametrize("name", ["no", "x" * 256, "white space", "slash/ed"])
async def test_a_bad_name_is_refused(tables: Tables, name: str) -> None:
    error = await tables.refused(
        "CreateTable",
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert error.code == "ValidationException"


async def test_a_missing_table_is_named_in_the_error(tables: Tables) -> None:
    for operation in ("DescribeTable", "DeleteTable"):
        error = await tables.refused(operation, TableName="nowhere")
        assert error.code == "ResourceNotFoundException"
        assert error.message == "Requested resource not found: Table: nowhere not found"


async def test_a_deleted_table_is_gone_at_once_and_its_rows_soon(tables: Tables) -> None:
    await tables.make()
    await tables.call("PutItem", TableName="things", Item={"id": {"S": "a"}})
    deleted = (await tables.call("DeleteTable", TableName="things"))["TableDescription"]
    assert deleted["TableStatus"] == "DELETING"
    assert (await tables.call("ListTables"))["TableNames"] == []
    await tables.make()
    assert await tables.item("a") is None
    await tables.service.maintenance.settle()
    assert await tables.item("a") is None


async def test_deletion_protection_protects_until_it_is_lifted(tables: Tables) -> None:
    await tables.make(DeletionProtectionEnabled=True)
    error = await tables.refused("DeleteTable", TableName="things")
    assert "protected against deletion" in error.message
    await tables.call("UpdateTable", TableName="things", DeletionProtectionEnabled=False)
    await tables.call("DeleteTable", TableName="things")


async def test_names_are_listed_in_order_a_page_at_a_time(tables: Tables) -> None:
    for name in ("ccc", "aaa", "bbb"):
        await tables.make(name)
    first = await tables.call("ListTables", Limit=2)
    assert first == {"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"}
    second = await tables.call("ListTables", Limit=2, ExclusiveStartTableName="bbb")
    assert second == {"TableNames": ["ccc"]}


async def test_billing_can_be_changed(tables: Tables) -> None:
    await tables.make()
    error = await tables.refused("UpdateTable", TableName="things", BillingMode="PROVISIONED")
    assert "ProvisionedThroughput must be specified when BillingMode is PROVISIONED" in error.message
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    reply = await tables.call("UpdateTable", TableName="things", BillingMode="PROVISIONED", ProvisionedThroughput=units)
    assert reply["TableDescription"]["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units}


async def test_a_key_without_definition_is_refused(tables: Tables) -> None:
    error = await tables.refused(
        "CreateTable",
        TableName="things",
        AttributeDefinitions=[{"AttributeName": "other", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert error.message == (
        "One or more parameter values were invalid: Some index key attributes are not defined in "
        "AttributeDefinitions. Keys: [id], AttributeDefinitions: [other]"
    )


async def test_what_is_not_implemented_is_refused_by_name(tables: Tables) -> None:
    error = await tables.refused(
        "CreateTable",
        TableName="things",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    assert "StreamSpecification" in error.message
    assert (await tables.call("ListTables"))["TableNames"] == []


async def test_tags_are_kept_listed_and_removed(tables: Tables) -> None:
    arn = (await tables.make(Tags=[{"Key": "team", "Value": "a"}]))["TableArn"]
    await tables.call("TagResource", ResourceArn=arn, Tags=[{"Key": "tier", "Value": "b"}])
    listed = await tables.call("ListTagsOfResource", ResourceArn=arn)
    assert listed == {"Tags": [{"Key": "team", "Value": "a"}, {"Key": "tier", "Value": "b"}]}
    await tables.call("UntagResource", ResourceArn=arn, TagKeys=["team"])
    assert (await tables.call("ListTagsOfResource", ResourceArn=arn))["Tags"] == [{"Key": "tier", "Value": "b"}]


async def test_tags_above_the_limit_are_refused_and_none_is_added(tables: Tables) -> None:
    arn = (await tables.make())["TableArn"]
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
    assert (await tables.refused("TagResource", ResourceArn=arn, Tags=tags)).code == "ValidationException"
    assert (await tables.call("ListTagsOfResource", ResourceArn=arn))["Tags"] == []
