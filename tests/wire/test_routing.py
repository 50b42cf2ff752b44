"""Which operation a request is for, when several look alike."""

import contextlib

import pytest
from botocore.model import OperationModel

from mayfly.services.contract import ServiceError
from mayfly.wire.exchange import parse_query
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue
from mayfly.wire.resolver import Resolver, UnknownServiceError
from mayfly.wire.routing import PathTable, bucket_of_host

from .platform import MODELS

S3 = PathTable(MODELS.service("s3"))
LAMBDA = PathTable(MODELS.service("lambda"))
RESOLVER = Resolver(Catalogue(MODELS), ["lambda", "s3", "dynamodb", "sts"])


@pytest.mark.parametrize(
    ("request_line", "headers", "operation"),
    [
        ("GET /", {}, "ListBuckets"),
        ("GET /b", {}, "ListObjects"),
        ("GET /b/", {}, "ListObjects"),
        ("GET /b?list-type=2&prefix=a", {}, "ListObjectsV2"),
        ("GET /b?list-type=1", {}, "ListObjects"),
        ("GET /b?location", {}, "GetBucketLocation"),
        ("GET /b?location=", {}, "GetBucketLocation"),
        ("GET /b?uploads&prefix=x", {}, "ListMultipartUploads"),
        ("GET /b?versions", {}, "ListObjectVersions"),
        ("GET /b?analytics", {}, "ListBucketAnalyticsConfigurations"),
        ("GET /b?analytics&id=1", {}, "GetBucketAnalyticsConfiguration"),
        ("GET /b?notification", {}, "GetBucketNotificationConfiguration"),
        ("PUT /b?lifecycle", {}, "PutBucketLifecycleConfiguration"),
        ("PUT /b", {}, "CreateBucket"),
        ("PUT /b/k", {}, "PutObject"),
        ("PUT /b/k?x-id=PutObject", {}, "PutObject"),
        ("PUT /b/k", {"x-amz-copy-source": "/b/o"}, "CopyObject"),
        ("PUT /b/k?partNumber=1&uploadId=u", {}, "UploadPart"),
        ("PUT /b/k?partNumber=1&uploadId=u", {"x-amz-copy-source": "/b/o"}, "UploadPartCopy"),
        ("PUT /b/k?tagging", {}, "PutObjectTagging"),
        ("POST /b/k?uploads", {}, "CreateMultipartUpload"),
        ("POST /b/k?uploadId=u", {}, "CompleteMultipartUpload"),
        ("POST /b?delete", {}, "DeleteObjects"),
        ("GET /b/k?uploadId=u", {}, "ListParts"),
        ("GET /b/k?versionId=v", {}, "GetObject"),
        ("GET /b/k?partNumber=1", {}, "GetObject"),
        ("GET /b/k?attributes", {"x-amz-object-attributes": "ETag"}, "GetObjectAttributes"),
        ("DELETE /b/k?uploadId=u", {}, "AbortMultipartUpload"),
        ("DELETE /b/k", {}, "DeleteObject"),
        ("HEAD /b/k", {}, "HeadObject"),
        ("HEAD /b", {}, "HeadBucket"),
    ],
)
def test_operations_of_s3_with_one_path_are_told_apart(
    request_line: str, headers: dict[str, str], operation: str
) -> None:
    method, _, target = request_line.partition(" ")
    path, _, query = target.partition("?")
    match = S3.find(method, path, parse_query(query), headers)
    assert match is not None
    assert match.operation == operation
    assert match.labels.get("Bucket") == ("b" if path != "/" else None)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/b/k", "k"),
        ("/b/k/", "k/"),
        ("/b//k", "/k"),
        ("/b/a/../k", "a/../k"),
        ("/b/a%2Fb%20c", "a/b c"),
        ("/b/%E6%97%A5", "日"),
        ("/b/a+b", "a+b"),
        ("/b//", "/"),
    ],
)
def test_keys_of_objects_are_taken_as_they_are(path: str, key: str) -> None:
    match = S3.find("GET", path, [], {})
    assert match is not None
    assert match.labels == {"Bucket": "b", "Key": key}


@pytest.mark.parametrize(
    ("request_line", "operation"),
    [
        ("GET /2015-03-31/functions", "ListFunctions"),
        ("GET /2015-03-31/functions/", "ListFunctions"),
        ("POST /2015-03-31/functions/f/invocations", "Invoke"),
        ("GET /2015-03-31/functions/f", "GetFunction"),
        ("GET /2019-09-30/functions/f/provisioned-concurrency?List=ALL", "ListProvisionedConcurrencyConfigs"),
        ("GET /2019-09-30/functions/f/provisioned-concurrency?Qualifier=1", "GetProvisionedConcurrencyConfig"),
        ("PATCH /2015-03-31/functions", None),
        ("GET /2015-03-31/functions//invocations", None),
        ("GET /elsewhere", None),
    ],
)
def test_paths_of_rest_services_lead_to_operations(request_line: str, operation: str | None) -> None:
    method, _, target = request_line.partition(" ")
    path, _, query = target.partition("?")
    match = LAMBDA.find(method, path, parse_query(query), {})
    assert (match.operation if match is not None else None) == operation


def test_an_arn_in_a_path_is_one_label() -> None:
    match = LAMBDA.find("POST", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A0%3Afunction%3Af%2Fg", [], {})
    assert match is not None
    assert match.labels == {"Resource": "arn:aws:lambda:us-east-1:0:function:f/g"}


def rest_operations() -> list[tuple[str, OperationModel]]:
    found = []
    for facts in MODELS.index().by_name.values():
        if facts.name in {"lambda", "apigateway", "apigatewayv2", "iot", "glacier", "s3control", "quicksight", "chime"}:
            model = MODELS.service(facts.name)
            found += [(facts.name, model.operation_model(name)) for name in model.operation_names]
    return found


def test_every_path_of_a_model_leads_back_to_its_operation() -> None:
    tables = {name: PathTable(MODELS.service(name)) for name in {name for name, _ in rest_operations()}}
    lost = []
    for name, operation in rest_operations():
        if operation.deprecated:
            continue
        path, _, query = operation.http["requestUri"].partition("?")
        needed = [
            (str(operation.input_shape.members[each].serialization.get("name", each)), "x")
            for each in (operation.input_shape.required_members if operation.input_shape else ())
            if operation.input_shape
            and operation.input_shape.members[each].serialization.get("location") == "querystring"
        ]
        match = tables[name].find(operation.http["method"], path, [*parse_query(query), *needed], {})
        if match is None or match.operation != operation.name:
            lost.append((name, operation.name, match and match.operation))
    assert lost == []


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("bucket.s3.amazonaws.com", "bucket"),
        ("my.bucket.s3.eu-west-1.amazonaws.com", "my.bucket"),
        ("bucket.s3-eu-west-1.amazonaws.com:443", "bucket"),
        ("bucket.s3.localhost:4566", "bucket"),
        ("bucket.s3.localhost.localstack.cloud:4566", "bucket"),
        ("Bucket.localhost:4566", "bucket"),
        ("s3.localhost:4566", None),
        ("s3.us-east-1.amazonaws.com", None),
        ("localhost:4566", None),
        ("127.0.0.1:4566", None),
        ("[::1]:4566", None),
        ("id.lambda-url.us-east-1.localhost", None),
    ],
)
def test_a_host_may_name_a_bucket(host: str, bucket: str | None) -> None:
    assert bucket_of_host(host) == bucket


def test_services_that_share_a_signing_name_are_told_apart() -> None:
    def resolved(method: str, path: str, scope: str) -> tuple[str, str | None]:
        target = RESOLVER.resolve(method, path, [], {}, scope, b"")
        return target.service.name, target.operation

    assert resolved("GET", "/bucket/key", "s3") == ("s3", "GetObject")
    assert resolved("GET", "/restapis", "apigateway") == ("apigateway", "GetRestApis")
    assert resolved("GET", "/v2/apis", "apigateway") == ("apigatewayv2", "GetApis")
    assert resolved("GET", "/v2/email/account", "ses") == ("sesv2", "GetAccount")


def test_a_scope_of_no_service_is_refused() -> None:
    with pytest.raises(UnknownServiceError):
        RESOLVER.resolve("GET", "/", [], {}, "nosuch", b"")


def test_an_unsigned_request_is_for_s3_unless_it_says_otherwise() -> None:
    assert RESOLVER.resolve("GET", "/bucket/key", [], {}, None, b"").service.name == "s3"
    assert RESOLVER.resolve("GET", "/2015-03-31/functions", [], {}, None, b"").service.name == "lambda"
    target = RESOLVER.resolve("POST", "/", [("Action", "GetCallerIdentity")], {}, None, b"")
    assert (target.service.name, target.operation) == ("sts", "GetCallerIdentity")


def test_a_stranger_cannot_make_models_load() -> None:
    models = Models()
    resolver = Resolver(Catalogue(models), ["lambda", "s3"])
    for headers, query in (({"x-amz-target": "AmazonSSM.GetParameter"}, []), ({}, [("Action", "DescribeInstances")])):
        with contextlib.suppress(ServiceError):
            resolver.resolve("POST", "/", query, headers, None, b"")
    assert set(models._descriptions) <= {"lambda", "s3"}
