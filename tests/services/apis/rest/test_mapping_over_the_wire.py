"""Integrations that are mapped: mocks, functions that are no proxies, services; templates and selection."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.services.apis.rest.conftest import Rest, send
from tests.services.functions.test_elasticity_over_the_wire import until

STATUS_200 = {"application/json": '{"statusCode": 200}'}


def test_a_mock_answers_preflights_of_browsers(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "OPTIONS")
    rest.integrate(api, root, "OPTIONS", type="MOCK", requestTemplates=STATUS_200)
    headers = {
        "method.response.header.Access-Control-Allow-Origin": "'*'",
        "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'",
    }
    rest.respond(api, root, "OPTIONS", responseParameters=headers)
    rest.deploy(api)
    answer = send("OPTIONS", rest.url(api, "/"))
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET,OPTIONS"
    assert answer.body == b""


def test_templates_see_parameters_bodies_context_and_stage_variables(rest: Rest) -> None:
    api = rest.create()
    item = rest.resource(api, "{id}")
    rest.method(api, item, "POST")
    rest.integrate(api, item, "POST", type="MOCK", requestTemplates=STATUS_200)
    template = (
        '{"id": "$input.params(\'id\')", "q": "$input.params(\'q\')", "stage": "$context.stage", '
        '"v": "$stageVariables.v", "verb": "$context.httpMethod"}'
    )
    rest.respond(api, item, "POST", responseTemplates={"application/json": template})
    rest.deploy(api, variables={"v": "blue"})
    answer = send("POST", rest.url(api, "/7?q=x"), b"{}", {"Content-Type": "application/json"})
    assert answer.json == {"id": "7", "q": "x", "stage": "dev", "v": "blue", "verb": "POST"}
    assert answer.headers["content-type"] == "application/json"


def test_a_function_that_is_no_proxy_gets_what_the_template_says_and_its_error_selects_the_response(
    rest: Rest,
) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "POST")
    templates = {"application/json": '#set($in = $input.path("$"))\n{"name": "$in.name", "fail": "$!in.fail"}'}
    rest.integrate(api, root, "POST", type="AWS", uri=rest.function_uri("plain"), requestTemplates=templates)
    rest.respond(api, root, "POST", "200", responseTemplates={"application/json": '{"got": "$input.path("$.name")"}'})
    rest.respond(
        api,
        root,
        "POST",
        "404",
        selectionPattern=".*not found.*",
        responseTemplates={"application/json": '{"error": "$input.path("$.errorMessage")"}'},
        responseParameters={"method.response.header.x-type": "integration.response.body.errorType"},
    )
    rest.deploy(api)
    kind = {"Content-Type": "application/json"}
    assert send("POST", rest.url(api, "/"), b'{"name": "a"}', kind).json == {"got": "a"}
    failed = send("POST", rest.url(api, "/"), b'{"name": "a", "fail": "it was not found"}', kind)
    assert (failed.status, failed.json) == (404, {"error": "it was not found"})
    assert failed.headers["x-type"] == "ValueError"


@pytest.mark.parametrize(
    ("behaviour", "templates", "status"),
    [
        ("NEVER", {}, 415),
        ("NEVER", STATUS_200, 415),
        ("WHEN_NO_TEMPLATES", STATUS_200, 415),
        ("WHEN_NO_TEMPLATES", {}, 200),
        ("WHEN_NO_MATCH", STATUS_200, 200),
    ],
)
def test_bodies_without_a_template_go_on_where_they_may(
    rest: Rest, behaviour: str, templates: dict[str, str], status: int
) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "POST")
    rest.integrate(api, root, "POST", type="MOCK", requestTemplates=templates, passthroughBehavior=behaviour)
    rest.respond(api, root, "POST")
    rest.deploy(api)
    answer = send("POST", rest.url(api, "/"), b'{"statusCode": 200}', {"Content-Type": "text/plain"})
    assert answer.status == status
    if status == 415:
        assert answer.json == {"message": "Unsupported Media Type"}


def test_a_template_that_fails_answers_500_and_calls_nothing(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "POST")
    broken = {"application/json": "#set($l = [])$l.get(1)"}
    rest.integrate(api, root, "POST", type="AWS", uri=rest.function_uri("plain"), requestTemplates=broken)
    rest.respond(api, root, "POST")
    rest.deploy(api)
    patch = {"op": "replace", "path": "/*/*/logging/loglevel", "value": "ERROR"}
    rest.gateway.update_stage(restApiId=api, stageName="dev", patchOperations=[patch])
    answer = send("POST", rest.url(api, "/"), b"{}", {"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    assert answer.headers["x-amzn-errortype"] == "InternalServerErrorException"
    group = f"API-Gateway-Execution-Logs_{api}/dev"
    why = next(one for one in written(rest.platform.client("logs"), group) if "Execution failed" in one)
    assert why.count("Execution failed") == 1
    assert "due to configuration error: " in why
    assert "index 1 of a list of 0" in why


def written(logs: Any, group: str) -> list[str]:
    """The lines of a log group, once there are any."""
    until(lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    until(lambda: logs.filter_log_events(logGroupName=group)["events"])
    return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]


def test_a_message_is_sent_to_a_queue_by_its_service(rest: Rest) -> None:
    iam, sqs = rest.platform.client("iam"), rest.platform.client("sqs")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName=f"api-{uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    name = f"api-{uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "POST")
    rest.integrate(
        api,
        root,
        "POST",
        type="AWS",
        uri=f"arn:aws:apigateway:{rest.platform.region}:sqs:path/{rest.platform.account}/{name}",
        credentials=role["Arn"],
        requestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        requestTemplates={"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"},
    )
    rest.respond(api, root, "POST", responseTemplates={"application/json": '{"sent": true}'})
    rest.deploy(api)
    answer = send("POST", rest.url(api, "/"), b'{"order": 1}', {"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (200, {"sent": True})
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"]) == {"order": 1}
