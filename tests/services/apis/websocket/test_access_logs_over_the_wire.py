"""Access logs of WebSocket APIs: what becomes of connections and messages, in a log group."""

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.services.apis.websocket.conftest import Sockets, told
from tests.services.functions.test_elasticity_over_the_wire import until

_FORM = {
    "event": "$context.eventType",
    "route": "$context.routeKey",
    "connection": "$context.connectionId",
    "message": "$context.messageId",
    "status": "$context.status",
    "integration": "$context.integration.status",
    "call": "$context.integrationStatus",
    "latency": "$context.integrationLatency",
    "error": "$context.error.message",
    "type": "$context.error.responseType",
    "code": "$context.disconnectStatusCode",
    "ip": "$context.identity.sourceIp",
    "nothing": "$context.nothing",
}


def logged(sockets: Sockets, api: str, form: dict[str, str] | None = None) -> dict[str, str]:
    """The settings of a stage that has its log in a group of its own."""
    platform = sockets.platform
    group = f"arn:aws:logs:{platform.region}:{platform.account}:log-group:sockets-{api}"
    return {"DestinationArn": group, "Format": json.dumps(form or _FORM)}


def lines(sockets: Sockets, api: str) -> list[dict[str, Any]]:
    logs = sockets.platform.client("logs")
    try:
        events = logs.filter_log_events(logGroupName=f"sockets-{api}")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(event["message"]) for event in events]


def test_a_connection_its_messages_and_its_end_are_a_line_each(sockets: Sockets) -> None:
    api = sockets.create()
    for key in ("$connect", "fail"):
        sockets.route(api, key)
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api, AccessLogSettings=logged(sockets, api))
    with sockets.connect(api) as socket:
        socket.send("hello")
        context = told(socket)["requestContext"]
        socket.send('{"action": "fail"}')
        assert told(socket)["message"] == "Internal server error"
        socket.close(4001)
    until(lambda: len(lines(sockets, api)) == 4)
    begun, said, failed, ended = lines(sockets, api)
    for line in (begun, said, failed, ended):
        assert (line["connection"], line["ip"], line["nothing"]) == (context["connectionId"], "127.0.0.1", "-")
    assert (begun["event"], begun["route"], begun["status"], begun["message"]) == ("CONNECT", "$connect", "200", "-")
    assert (said["event"], said["route"], said["status"]) == ("MESSAGE", "$default", "200")
    assert (said["message"], said["integration"], said["call"]) == (context["messageId"], "200", "200")
    assert said["latency"].isdecimal()
    assert (failed["route"], failed["status"], failed["error"]) == ("fail", "502", "Internal server error")
    assert (failed["integration"], failed["call"]) == ("-", "200")
    assert (said["type"], failed["type"]) == ("-", "INTEGRATION_FAILURE")
    assert (ended["event"], ended["route"], ended["status"]) == ("DISCONNECT", "$disconnect", "200")
    assert (ended["code"], ended["latency"]) == ("4001", "-")


def test_who_may_not_connect_is_logged_with_what_the_authorizer_said(sockets: Sockets) -> None:
    api = sockets.create()
    region, arn = sockets.platform.region, sockets.functions["authorize"]
    authorizer = sockets.gateway.create_authorizer(
        ApiId=api,
        Name="own",
        AuthorizerType="REQUEST",
        AuthorizerUri=f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations",
        IdentitySource=["route.request.querystring.token"],
    )["AuthorizerId"]
    sockets.route(api, "$connect", AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    form = {
        "status": "$context.status",
        "authorizer": "$context.authorizer.status",
        "error": "$context.authorizer.error",
        "type": "$context.error.responseType",
        "who": "$context.authorizer.who",
    }
    sockets.deploy(api, AccessLogSettings=logged(sockets, api, form))
    with pytest.raises(InvalidStatus), sockets.connect(api):
        pass
    with sockets.connect(api, "?token=good"):
        pass
    until(lambda: len(lines(sockets, api)) == 3)
    assert lines(sockets, api)[:2] == [
        {"status": "401", "authorizer": "401", "error": "Unauthorized", "type": "UNAUTHORIZED", "who": "-"},
        {"status": "200", "authorizer": "200", "error": "-", "type": "-", "who": "good"},
    ]


def test_a_stage_whose_settings_are_taken_away_logs_no_more(sockets: Sockets) -> None:
    api = sockets.create()
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api, AccessLogSettings=logged(sockets, api))
    with sockets.connect(api) as socket:
        socket.send("one")
        told(socket)
        sockets.gateway.delete_access_log_settings(ApiId=api, StageName="dev")
        socket.send("two")
        told(socket)
    assert [line["event"] for line in lines(sockets, api)] == ["CONNECT", "MESSAGE"]
