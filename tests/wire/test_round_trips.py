"""What botocore writes, the codecs read, and what they write, botocore reads: for every operation of many services."""

import asyncio
import io
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.model import OperationModel, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.services.contract import HttpRequest, join_headers
from mayfly.wire.exchange import Request, parse_query
from mayfly.wire.operations import Catalogue
from mayfly.wire.resolver import FORM, Resolver, Target

from .platform import MODELS, prepared_to_http, read_body
from .shapes import has_events, pruned, structure

SERVICES = {
    "json": ["dynamodb", "sqs", "logs", "events", "stepfunctions", "ssm", "secretsmanager", "kinesis", "cognito-idp"],
    "query": ["iam", "sts", "sns", "cloudformation", "rds", "autoscaling"],
    "ec2": ["ec2"],
    "rest-json": ["lambda", "apigateway", "apigatewayv2", "scheduler", "pipes", "xray", "glacier", "batch", "iot"],
    "rest-xml": ["s3", "route53", "cloudfront", "s3control"],
}
CASES = [(protocol, service) for protocol, services in SERVICES.items() for service in services]
CATALOGUE = Catalogue(MODELS, frozenset(service for _, service in CASES))
RESOLVER = Resolver(CATALOGUE, [service for _, service in CASES])
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

# Operations that the model itself makes indistinguishable from another one, deprecated twins mostly.
TWINS = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}


def operations(service: str) -> list[OperationModel]:
    model = MODELS.service(service)
    found = [model.operation_model(name) for name in model.operation_names]
    return [each for each in found if not has_events(each) and each.name not in TWINS]


def sent(service: str, protocol: str, operation: OperationModel, params: dict[str, Any]) -> HttpRequest:
    """The request that botocore makes of `params`."""
    serialised = create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
    serialised.setdefault("context", {})
    prepare_request_dict(serialised, endpoint_url="http://127.0.0.1:4566", context={})
    http: HttpRequest = prepared_to_http(create_request_object(serialised).prepare())
    return http


def resolve(service: str, http: HttpRequest, body: bytes) -> Target:
    headers = join_headers(http.headers)
    form = body if headers.get("content-type", "").startswith(FORM) else b""
    scope = MODELS.facts(service).signing_name
    return RESOLVER.resolve(http.method, http.path, parse_query(http.query), headers, scope, form)


async def parsed(http: HttpRequest, target: Target, body: bytes) -> dict[str, Any]:
    assert target.operation is not None
    operation = target.service.operation(target.operation, target.protocol)
    request = Request(http.method, parse_query(http.query), join_headers(http.headers), target.labels, body)
    found = operation.parse(request)
    for key, value in found.items():
        if hasattr(value, "__aiter__"):
            found[key] = b"".join([piece async for piece in value])
    return found


@pytest.mark.parametrize(("protocol", "service"), CASES)
@given(st.data())
@relaxed
def test_requests_of_botocore_are_read_as_they_were_meant(protocol: str, service: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(operations(service)))
    shape = operation.input_shape
    params = data.draw(structure(shape)) if isinstance(shape, StructureShape) else {}
    http = sent(service, protocol, operation, params)

    async def body() -> bytes:
        return b"".join([piece async for piece in http.body])

    content = asyncio.run(body())
    target = resolve(service, http, content)
    assert (target.service.name, target.operation) == (service, operation.name)
    found = asyncio.run(parsed(http, target, content))
    if service in {"s3", "glacier"} and "ContentLength" not in params:
        found.pop("ContentLength", None)  # every request with a body has that header
    payload = str(shape.serialization.get("payload", "")) if shape is not None else ""
    if params.get(payload) == "":
        del params[payload]  # a payload of no length is no payload
    assert pruned(found) == pruned(params)


@pytest.mark.parametrize(("protocol", "service"), CASES)
@given(st.data())
@relaxed
def test_botocore_reads_replies_as_they_were_meant(protocol: str, service: str, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from([each for each in operations(service) if each.name != "GetBucketLocation"]))
    shape = model.output_shape
    reply = data.draw(structure(shape)) if isinstance(shape, StructureShape) else {}
    operation = CATALOGUE.service(service).operation(model.name, protocol)
    response = operation.serialise(reply, "a-request-id")
    content = asyncio.run(read_body(response))
    headers = HeadersDict(dict(response.headers))
    parser: Any = create_parser(protocol)  # Any: its stub demands a shape, which some operations lack
    body: Any = io.BytesIO(content) if model.has_streaming_output else content  # botocore's word for any blob payload
    understood = parser.parse({"status_code": response.status, "headers": headers, "body": body}, shape)
    members = shape.members if isinstance(shape, StructureShape) else {}
    for name, member in members.items():
        if member.serialization.get("location") == "statusCode" and name not in reply:
            assert understood.pop(name) == response.status
    metadata = understood.pop("ResponseMetadata")
    assert metadata["RequestId"] == "a-request-id"
    payload = str(shape.serialization.get("payload", "")) if shape is not None else ""
    if understood.get(payload) == "" or isinstance(understood.get(payload), io.BytesIO):
        understood[payload] = content  # an absent payload of text or bytes is one of no length
        reply = {payload: b"", **reply}
    for found in (understood, reply):
        if isinstance(found.get(payload), str):
            found[payload] = found[payload].encode()
    assert pruned(understood) == pruned(reply)
