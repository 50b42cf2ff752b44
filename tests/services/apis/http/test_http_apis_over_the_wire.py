"""HTTP APIs with boto3 and plain requests against the real server."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess
from tests.services.apis.http.wire import ask, function

QUICK = "quick-http-api"


@pytest.fixture(scope="module")
def apis(platform: PlatformProcess) -> Any:
    return platform.client("apigatewayv2")


@pytest.fixture(scope="module")
def echo(platform: PlatformProcess) -> str:
    return function(platform, "http-api-echo")


@pytest.fixture(scope="module")
def quick(apis: Any, echo: str) -> Any:
    return apis.create_api(Name=QUICK, ProtocolType="HTTP", Target=echo)


def routed(apis: Any, arn: str, *keys: str, version: str = "2.0", **api: Any) -> Any:
    """An API with routes to a function, and a stage `$default` that follows."""
    made = apis.create_api(Name="routed", ProtocolType="HTTP", **api)
    named = {"ApiId": made["ApiId"]}
    target = apis.create_integration(
        **named, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion=version
    )
    for key in keys:
        apis.create_route(**named, RouteKey=key, Target=f"integrations/{target['IntegrationId']}")
    apis.create_stage(**named, StageName="$default", AutoDeploy=True)
    return made


def test_a_quickly_created_api_answers_by_its_function(quick: Any) -> None:
    answer = ask(quick["ApiEndpoint"], "/a%20b/c?x=1&x=2&y=%26", headers={"Cookie": "k=1; l=2", "X-A": "b"})
    event = answer.json
    assert answer.status == 200
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("apigw-requestid") == event["requestContext"]["requestId"]
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "$default"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/a b/c"
    assert event["rawQueryString"] == "x=1&x=2&y=%26"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "&"}
    assert event["cookies"] == ["k=1", "l=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-a"] == "b"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert not {"body", "pathParameters", "stageVariables"} & set(event)
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["domainPrefix"] == context["apiId"] == quick["ApiId"]
    assert context["domainName"].startswith(f"{quick['ApiId']}.execute-api.")
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["time"])
    assert "authorizer" not in context


def test_a_body_is_text_where_its_type_says_so(quick: Any) -> None:
    said = ask(quick["ApiEndpoint"], "/", "POST", '{"ä":1}'.encode(), {"Content-Type": "application/json"}).json
    assert (said["body"], said["isBase64Encoded"]) == ('{"ä":1}', False)
    form = ask(quick["ApiEndpoint"], "/", "POST", b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}).json
    assert (form["body"], form["isBase64Encoded"]) == ("YT0x", True)


def test_an_api_is_reached_by_its_host_name(platform: PlatformProcess, quick: Any) -> None:
    host = f"{quick['ApiId']}.execute-api.us-east-1.amazonaws.com"
    event = ask(platform.url, "/x", headers={"Host": host}).json
    assert event["rawPath"] == "/x"
    assert event["requestContext"]["domainName"] == event["headers"]["host"] == host


def test_an_id_of_no_api_is_forbidden(platform: PlatformProcess) -> None:
    answer = ask(platform.url, "/_mayfly/api/nothinghere/x")
    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})


def test_format_1_shows_a_named_stage_in_the_path_and_its_variables(apis: Any, echo: str) -> None:
    api = routed(apis, echo, "GET /pets/{id}", version="1.0")
    apis.create_stage(ApiId=api["ApiId"], StageName="dev", AutoDeploy=True, StageVariables={"v": "1"})
    event = ask(api["ApiEndpoint"], "/dev/pets/a%20b?x=1&x=2").json
    assert event["version"] == "1.0"
    assert event["resource"] == event["requestContext"]["resourcePath"] == "/pets/{id}"
    assert event["path"] == event["requestContext"]["path"] == "/dev/pets/a b"
    assert event["pathParameters"] == {"id": "a b"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert event["queryStringParameters"] == {"x": "2"}
    assert event["stageVariables"] == {"v": "1"}
    assert event["requestContext"]["stage"] == "dev"
    assert event["requestContext"]["authorizer"] == {"claims": None, "scopes": None}
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
    assert event["multiValueHeaders"]["Host"] == [event["headers"]["Host"]]
    assert event["body"] is None
    answer = ask(api["ApiEndpoint"], "/dev/none")
    assert (answer.status, answer.body) == (404, b'{"message":"Not Found"}')


def test_a_stage_that_does_not_follow_serves_what_was_deployed_to_it(apis: Any, echo: str) -> None:
    api = apis.create_api(Name="deployed", ProtocolType="HTTP")
    named = {"ApiId": api["ApiId"]}
    with pytest.raises(ClientError) as empty:
        apis.create_deployment(**named)
    assert empty.value.response["Error"]["Message"] == "At least one route is required before deploying the Api."
    target = apis.create_integration(
        **named, IntegrationType="AWS_PROXY", IntegrationUri=echo, PayloadFormatVersion="2.0"
    )
    first = apis.create_route(**named, RouteKey="GET /one", Target=f"integrations/{target['IntegrationId']}")
    apis.create_stage(**named, StageName="prod")
    assert ask(api["ApiEndpoint"], "/prod/one").status == 404
    deployment = apis.create_deployment(**named, StageName="prod", Description="first")
    assert deployment["DeploymentStatus"] == "DEPLOYED"
    assert ask(api["ApiEndpoint"], "/prod/one").status == 200
    apis.update_route(**named, RouteId=first["RouteId"], RouteKey="GET /two")
    assert ask(api["ApiEndpoint"], "/prod/two").status == 404
    with pytest.raises(ClientError) as used:
        apis.delete_deployment(**named, DeploymentId=deployment["DeploymentId"])
    assert "Active stages" in used.value.response["Error"]["Message"]
    apis.update_stage(**named, StageName="prod", AutoDeploy=True)
    assert ask(api["ApiEndpoint"], "/prod/two").status == 200
    apis.update_stage(**named, StageName="prod", AutoDeploy=False)
    apis.update_route(**named, RouteId=first["RouteId"], RouteKey="GET /three")
    assert ask(api["ApiEndpoint"], "/prod/two").status == 200
    assert ask(api["ApiEndpoint"], "/prod/three").status == 404
    apis.delete_api(**named)
    assert ask(api["ApiEndpoint"], "/prod/two").status == 403


def test_a_function_that_an_api_may_not_call_is_an_internal_error(platform: PlatformProcess, apis: Any) -> None:
    arn = function(platform, "http-api-closed", open_to_apis=False)
    api = apis.create_api(Name="closed", ProtocolType="HTTP", Target=arn, RouteKey="GET /pets/{id}")
    answer = ask(api["ApiEndpoint"], "/pets/1")
    assert (answer.status, answer.body) == (500, b'{"message":"Internal Server Error"}')
    platform.client("lambda").add_permission(
        FunctionName="http-api-closed",
        StatementId="one-route",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{platform.region}:{platform.account}:{api['ApiId']}/$default/GET/pets/{{id}}",
    )
    assert ask(api["ApiEndpoint"], "/pets/1").status == 200


def test_a_function_that_fails_is_an_internal_error(platform: PlatformProcess, apis: Any) -> None:
    code = "def h(event, context): raise ValueError('no')"
    api = routed(apis, function(platform, "http-api-fails", code), "GET /a", "GET /b")
    assert ask(api["ApiEndpoint"], "/a").body == b'{"message":"Internal Server Error"}'


def test_a_function_that_takes_too_long_is_not_waited_for(platform: PlatformProcess, apis: Any) -> None:
    code = "import time\ndef h(event, context): time.sleep(3)"
    arn = function(platform, "http-api-slow", code)
    api = apis.create_api(Name="slow", ProtocolType="HTTP", Target=arn)
    integration = apis.get_integrations(ApiId=api["ApiId"])["Items"][0]["IntegrationId"]
    apis.update_integration(ApiId=api["ApiId"], IntegrationId=integration, TimeoutInMillis=100)
    answer = ask(api["ApiEndpoint"], "/")
    assert (answer.status, answer.body) == (503, b'{"message":"Service Unavailable"}')


def test_browsers_of_other_origins_are_answered_as_configured(apis: Any, echo: str) -> None:
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "AllowHeaders": ["x-a"], "MaxAge": 60}
    api = routed(apis, echo, "GET /a", CorsConfiguration=cors)
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    answer = ask(api["ApiEndpoint"], "/a", "OPTIONS", headers=asks)
    assert answer.status == 204
    assert answer.header("access-control-allow-origin") == "https://a.example"
    assert answer.header("access-control-max-age") == "60"
    answer = ask(api["ApiEndpoint"], "/a", headers={"Origin": "https://a.example"})
    assert (answer.status, answer.header("access-control-allow-origin")) == (200, "https://a.example")
    apis.delete_cors_configuration(ApiId=api["ApiId"])
    assert ask(api["ApiEndpoint"], "/a", "OPTIONS", headers=asks).status == 404


def test_a_throttled_route_refuses_what_is_too_much(apis: Any, echo: str) -> None:
    api = routed(apis, echo, "GET /a", "GET /b")
    limits = {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.001}
    apis.update_stage(ApiId=api["ApiId"], StageName="$default", RouteSettings={"GET /a": limits})
    assert [ask(api["ApiEndpoint"], "/a").status for _ in range(2)] == [200, 429]
    assert ask(api["ApiEndpoint"], "/a").body == b'{"message":"Too Many Requests"}'
    assert ask(api["ApiEndpoint"], "/b").status == 200
    apis.delete_route_settings(ApiId=api["ApiId"], StageName="$default", RouteKey="GET /a")
    assert ask(api["ApiEndpoint"], "/a").status == 200


def test_access_logs_have_a_line_for_every_request(platform: PlatformProcess, apis: Any, echo: str) -> None:
    api = routed(apis, echo, "GET /a")
    group = f"arn:aws:logs:{platform.region}:{platform.account}:log-group:http-api-access"
    form = '{"id":"$context.requestId","route":"$context.routeKey","status":$context.status,"x":"$context.nothing"}'
    apis.update_stage(
        ApiId=api["ApiId"], StageName="$default", AccessLogSettings={"DestinationArn": group, "Format": form}
    )
    found, missed = ask(api["ApiEndpoint"], "/a"), ask(api["ApiEndpoint"], "/b")
    events = platform.client("logs").filter_log_events(logGroupName="http-api-access")["events"]
    assert [json.loads(event["message"]) for event in events] == [
        {"id": found.header("apigw-requestid"), "route": "GET /a", "status": 200, "x": "-"},
        {"id": missed.header("apigw-requestid"), "route": "-", "status": 404, "x": "-"},
    ]


def test_metrics_count_requests_by_api_and_stage(platform: PlatformProcess, apis: Any, echo: str) -> None:
    api = routed(apis, echo, "GET /a")
    for path in ("/a", "/a", "/b"):
        ask(api["ApiEndpoint"], path)
    metrics = platform.client("cloudwatch")

    def total(name: str, statistic: str = "Sum") -> float:
        now = datetime.now(UTC)
        found = metrics.get_metric_statistics(
            Namespace="AWS/ApiGateway",
            MetricName=name,
            Dimensions=[{"Name": "ApiId", "Value": api["ApiId"]}, {"Name": "Stage", "Value": "$default"}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=3600,
            Statistics=[statistic],
        )
        return float(sum(point[statistic] for point in found["Datapoints"]))

    assert (total("Count"), total("4xx"), total("5xx")) == (3, 1, 0)
    assert total("IntegrationLatency", "SampleCount") == 2


@pytest.mark.parametrize(
    ("operation", "given", "message"),
    [
        (
            "create_route",
            {"RouteKey": "GET pets"},
            "The provided route key is not formatted properly for HTTP protocol.",
        ),
        ("create_route", {"RouteKey": "GET /a", "Target": "integrations/none"}, "Invalid integration identifier"),
        (
            "create_route",
            {"RouteKey": "GET /a", "AuthorizationType": "JWT"},
            "Invalid authorizer ID specified. Setting the authorization type to JWT requires a valid JWT authorizer.",
        ),
        ("create_integration", {"IntegrationType": "MOCK"}, "Currently, an API with a protocol type of HTTP may only"),
        (
            "create_integration",
            {"IntegrationType": "AWS_PROXY", "IntegrationUri": "x"},
            "PayloadFormatVersion is a required parameter for integration",
        ),
        (
            "create_authorizer",
            {"AuthorizerType": "REQUEST", "Name": "a", "IdentitySource": ["$request.header.A"], "AuthorizerUri": "x"},
            "AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer",
        ),
        (
            "create_authorizer",
            {
                "AuthorizerType": "REQUEST",
                "Name": "a",
                "IdentitySource": ["$request.header.A"],
                "AuthorizerUri": "guard",
                "AuthorizerPayloadFormatVersion": "2.0",
            },
            "Invalid Authorizer URI: guard. Authorizer URI should be a valid API Gateway ARN",
        ),
        ("create_stage", {"StageName": "a b"}, "Stage name only allows a-zA-Z0-9_- and $default"),
    ],
)
def test_what_cannot_be_is_refused_in_aws_words(
    apis: Any, quick: Any, operation: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(apis, operation)(ApiId=quick["ApiId"], **given)
    assert refused.value.response["Error"]["Code"] == "BadRequestException"
    assert message in refused.value.response["Error"]["Message"]


def test_what_is_used_cannot_be_deleted_and_what_is_there_not_made_again(apis: Any, echo: str) -> None:
    api = routed(apis, echo, "GET /a")
    named = {"ApiId": api["ApiId"]}
    integration = apis.get_integrations(**named)["Items"][0]["IntegrationId"]
    calls: list[tuple[str, dict[str, str]]] = [
        ("delete_integration", {"IntegrationId": integration}),
        ("create_route", {"RouteKey": "GET /a"}),
        ("create_stage", {"StageName": "$default"}),
    ]
    for operation, given in calls:
        with pytest.raises(ClientError) as refused:
            getattr(apis, operation)(**named, **given)
        assert refused.value.response["Error"]["Code"] == "ConflictException"


def test_lists_come_in_pages(apis: Any, echo: str) -> None:
    api = routed(apis, echo, *(f"GET /{number}" for number in range(5)))
    pages = apis.get_paginator("get_routes").paginate(ApiId=api["ApiId"], PaginationConfig={"PageSize": "2"})
    found = [[item["RouteKey"] for item in page["Items"]] for page in pages]
    assert [len(keys) for keys in found] == [2, 2, 1]
    assert sorted(key for keys in found for key in keys) == [f"GET /{number}" for number in range(5)]


def test_a_document_may_name_the_place_that_it_is_imported_to(platform: PlatformProcess, apis: Any, echo: str) -> None:
    uri = echo.replace(platform.region, "${AWS::Region}").replace(platform.account, "${AWS::AccountId}")
    integration = {"type": "AWS_PROXY", "uri": uri, "payloadFormatVersion": "2.0"}
    paths = {"/x": {"get": {"x-amazon-apigateway-integration": integration}}}
    document = {"openapi": "3.0.1", "info": {"title": "doc", "version": "1"}, "paths": paths}
    api = apis.import_api(Body=json.dumps(document))
    apis.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
    assert ask(api["ApiEndpoint"], "/x").status == 200


def test_a_document_makes_an_api_and_replaces_what_it_is(apis: Any, echo: str) -> None:
    def document(path: str) -> str:
        integration = {"type": "AWS_PROXY", "uri": echo, "payloadFormatVersion": "2.0"}
        paths = {path: {"get": {"x-amazon-apigateway-integration": integration}}}
        return json.dumps({"openapi": "3.0.1", "info": {"title": "doc", "version": "1"}, "paths": paths})

    api = apis.import_api(Body=document("/one"))
    named = {"ApiId": api["ApiId"]}
    apis.create_stage(**named, StageName="$default", AutoDeploy=True)
    assert ask(api["ApiEndpoint"], "/one").status == 200
    apis.reimport_api(**named, Body=document("/two"))
    assert ask(api["ApiEndpoint"], "/one").status == 404
    assert ask(api["ApiEndpoint"], "/two").status == 200
    body = apis.export_api(**named, Specification="OAS30", OutputType="JSON")["body"].read()
    assert list(json.loads(body)["paths"]) == ["/two"]


def test_tags_of_apis_and_stages_are_set_and_removed(platform: PlatformProcess, apis: Any, echo: str) -> None:
    api = routed(apis, echo, Tags={"a": "1"})
    arn = f"arn:aws:apigateway:{platform.region}::/apis/{api['ApiId']}"
    apis.tag_resource(ResourceArn=arn, Tags={"b": "2"})
    apis.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert apis.get_tags(ResourceArn=arn)["Tags"] == {"b": "2"} == apis.get_api(ApiId=api["ApiId"])["Tags"]
    apis.tag_resource(ResourceArn=f"{arn}/stages/$default", Tags={"c": "3"})
    assert apis.get_stage(ApiId=api["ApiId"], StageName="$default")["Tags"] == {"c": "3"}
