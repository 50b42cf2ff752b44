"""Input that violates a model's constraints is refused in the words that AWS uses."""

from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.wire.operations import Catalogue

from .platform import MODELS

CATALOGUE = Catalogue(MODELS, frozenset({"lambda", "s3", "dynamodb", "iam", "logs"}))


def refused(service: str, operation: str, params: dict[str, Any]) -> ServiceError:
    wire = CATALOGUE.service(service)
    with pytest.raises(ServiceError) as caught:
        wire.operation(operation, wire.protocol).validate(params)
    return caught.value


def accepted(service: str, operation: str, params: dict[str, Any]) -> None:
    wire = CATALOGUE.service(service)
    wire.operation(operation, wire.protocol).validate(params)


@pytest.mark.parametrize(
    ("service", "operation", "params", "message"),
    [
        (
            "dynamodb",
            "GetItem",
            {"Key": {}},
            "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "dynamodb",
            "DescribeTable",
            {"TableName": ""},
            "1 validation error detected: Value '' at 'tableName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "dynamodb",
            "ListTables",
            {"Limit": 101},
            "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: "
            "Member must have value less than or equal to 100",
        ),
        (
            "dynamodb",
            "Query",
            {"TableName": "table", "Select": "SOME"},
            "1 validation error detected: Value 'SOME' at 'select' failed to satisfy constraint: Member must satisfy "
            "enum value set: [ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES, SPECIFIC_ATTRIBUTES, COUNT]",
        ),
        (
            "lambda",
            "UpdateFunctionCode",
            {"FunctionName": "f", "Architectures": ["X86_64"]},
            "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: "
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
            "Member must not be null]",
        ),
        (
            "iam",
            "GetRole",
            {"RoleName": "r" * 65},
            f"1 validation error detected: Value '{'r' * 65}' at 'roleName' failed to satisfy constraint: "
            "Member must have length less than or equal to 64",
        ),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {}},
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": {}, "Layers": ["one"]},
            None,
        ),
    ],
)
def test_one_violation_is_one_sentence(
    service: str, operation: str, params: dict[str, Any], message: str | None
) -> None:
    error = refused(service, operation, params)
    if message is not None:
        assert error.message == message
    assert error.status == 400


def test_paths_lead_through_lists_and_maps() -> None:
    schema = [{"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "k"}]
    error = refused("dynamodb", "CreateTable", {"TableName": "table", "KeySchema": schema})
    assert "Value null at 'keySchema.2.member.keyType' failed" in error.message
    error = refused("dynamodb", "BatchGetItem", {"RequestItems": {"table": {"Keys": []}}})
    assert "Value '[]' at 'requestItems.table.member.keys' failed" in error.message


def test_several_violations_are_counted_and_the_sum_is_bounded() -> None:
    error = refused("dynamodb", "CreateTable", {"KeySchema": [{}] * 2})
    assert error.message.startswith("5 validation errors detected: ")
    definitions = [{"AttributeName": "", "AttributeType": "X"}] * 40
    error = refused("dynamodb", "CreateTable", {"TableName": "t", "AttributeDefinitions": definitions, "KeySchema": []})
    assert error.message.startswith("10 validation errors detected: ")


def test_the_code_is_the_one_of_the_service() -> None:
    assert refused("dynamodb", "GetItem", {}).code == "ValidationException"
    assert refused("lambda", "Invoke", {"FunctionName": "a b"}).code == "ValidationException"
    assert refused("iam", "GetRole", {}).code == "ValidationError"
    assert refused("logs", "CreateLogGroup", {}).code == "InvalidParameterException"


def test_a_secret_is_not_repeated() -> None:
    variables = {"1": "the-secret"}
    error = refused(
        "lambda", "UpdateFunctionConfiguration", {"FunctionName": "f", "Environment": {"Variables": variables}}
    )
    assert "Map keys must satisfy constraint: [Member must satisfy regular expression pattern" in error.message
    assert "the-secret" not in error.message


def test_a_runtime_is_for_the_handler_to_judge() -> None:
    accepted("lambda", "UpdateFunctionConfiguration", {"FunctionName": "f", "Runtime": "python9.99"})


def test_what_is_too_long_and_malformed_is_two_violations() -> None:
    arn = f"arn:aws:lambda:nowhere:123456789012:function:{'a' * 110}"
    error = refused(
        "lambda", "CreateFunction", {"FunctionName": arn, "Role": "arn:aws:iam::123456789012:role/r", "Code": {}}
    )
    first, second = error.message.partition(": ")[2].split("; ")
    constraint = f"Value '{arn}' at 'functionName' failed to satisfy constraint: Member must"
    assert error.message.startswith("2 validation errors detected: ")
    assert first == f"{constraint} have length less than or equal to 140"
    assert second.startswith(f"{constraint} satisfy regular expression pattern: (arn:")


def test_a_long_value_is_cut_in_the_message_and_not_matched_against_patterns() -> None:
    error = refused("lambda", "Invoke", {"FunctionName": "a" * 1_000_000})
    assert len(error.message) < 10_000
    assert "length less than or equal to" in error.message


def test_s3_has_its_own_ways() -> None:
    assert refused("s3", "DeleteObjects", {"Bucket": "b"}).code == "MissingRequestBodyError"
    assert refused("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{}]}}).code == "MalformedXML"
    accepted("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}]}})
    accepted("s3", "PutObject", {"Bucket": "b", "Key": "k", "StorageClass": "for the handler to judge"})
