"""WebSocket APIs, from a client's socket to a function and back."""

import json
from socket import create_connection
from typing import Any

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.services.apis.websocket.conftest import Sockets, told
from tests.services.functions.test_elasticity_over_the_wire import until


def test_a_function_hears_of_a_connection_its_messages_and_its_end(sockets: Sockets) -> None:
    api = sockets.create()
    for key in ("$connect", "$disconnect"):
        sockets.route(api, key)
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api, StageVariables={"color": "blue"})
    with sockets.connect(api, "?a=1&b=2&b=3", additional_headers={"X-Own": "v"}) as socket:
        socket.send('{"action": "unknown", "n": 1}')
        event = told(socket)
        context = event["requestContext"]
        assert (context["routeKey"], context["eventType"], context["messageDirection"]) == ("$default", "MESSAGE", "IN")
        assert (context["apiId"], context["stage"]) == (api, "dev")
        assert context["domainName"] == f"{api}.execute-api.{sockets.platform.region}.amazonaws.com"
        assert context["messageId"]
        assert (event["body"], event["isBase64Encoded"]) == ('{"action": "unknown", "n": 1}', False)
        assert event["stageVariables"] == {"color": "blue"}
        mine = context["connectionId"]
        socket.send(b"\x00\xff")
        assert told(socket)["isBase64Encoded"] is True
        seen = json.loads(_item(sockets, mine)["event"]["S"])
        assert seen["requestContext"]["eventType"] == "CONNECT"
        assert seen["headers"]["x-own"] == "v"
        assert seen["queryStringParameters"] == {"a": "1", "b": "3"}
        assert seen["multiValueQueryStringParameters"] == {"a": ["1"], "b": ["2", "3"]}
        assert "body" not in seen
        socket.close(4001, "enough")
    until(lambda: _item(sockets, mine).get("gone"))
    gone = json.loads(_item(sockets, mine)["event"]["S"])["requestContext"]
    assert (gone["eventType"], gone["disconnectStatusCode"], gone["disconnectReason"]) == ("DISCONNECT", 4001, "enough")


def test_the_domain_name_of_an_event_leads_here_whatever_host_the_client_named(sockets: Sockets) -> None:
    api = sockets.create()
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api)
    port = int(sockets.platform.url.rpartition(":")[2])
    named = f"ws://{api}.execute-api.{sockets.platform.region}.localhost:{port}/dev"
    with connect(named, sock=create_connection(("127.0.0.1", port), 30), open_timeout=30) as socket:
        socket.send("x")
        domain = told(socket)["requestContext"]["domainName"]
    assert domain == f"{api}.execute-api.{sockets.platform.region}.amazonaws.com"


def _item(sockets: Sockets, connection_id: str) -> dict[str, Any]:
    return next((item for item in sockets.items() if item["id"]["S"] == connection_id), {})


@pytest.mark.parametrize(("query", "status"), [("?status=403", 403), ("?status=fail", 502)])
def test_a_function_may_refuse_a_connection(sockets: Sockets, query: str, status: int) -> None:
    api = sockets.create()
    sockets.route(api, "$connect")
    sockets.deploy(api)
    with pytest.raises(InvalidStatus) as refused, sockets.connect(api, query):
        pass
    assert refused.value.response.status_code == status


def test_a_function_chooses_the_subprotocol(sockets: Sockets) -> None:
    api = sockets.create()
    sockets.route(api, "$connect")
    sockets.deploy(api)
    with sockets.connect(api, subprotocols=["chat", "other"]) as socket:
        assert socket.subprotocol == "chat"


def test_a_message_of_no_route_and_one_whose_function_fails_are_told_so(sockets: Sockets) -> None:
    api = sockets.create()
    sockets.route(api, "fail")
    sockets.deploy(api)
    with sockets.connect(api) as socket:
        socket.send('{"action": "nothing"}')
        answer = told(socket)
        assert answer["message"] == "Forbidden"
        assert set(answer) == {"message", "connectionId", "requestId"}
        socket.send('{"action": "fail"}')
        assert told(socket)["message"] == "Internal server error"


def test_messages_reach_connections_from_outside(sockets: Sockets) -> None:
    api = sockets.create()
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api)
    management = sockets.management(api)
    with sockets.connect(api, user_agent_header="tester") as socket:
        socket.send("hello")
        mine = told(socket)["requestContext"]["connectionId"]
        management.post_to_connection(ConnectionId=mine, Data=b"from outside")
        assert socket.recv(timeout=30) == "from outside"
        shown = management.get_connection(ConnectionId=mine)
        assert shown["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "tester"}
        assert shown["LastActiveAt"] >= shown["ConnectedAt"]
        with pytest.raises(ClientError) as refused:
            management.post_to_connection(ConnectionId=mine, Data=b"x" * (128 * 1024 + 1))
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
        plain = sockets.platform.client("apigatewaymanagementapi")
        plain.post_to_connection(ConnectionId=mine, Data=b"by the platform's own endpoint")
        assert socket.recv(timeout=30) == "by the platform's own endpoint"
        management.delete_connection(ConnectionId=mine)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    with pytest.raises(management.exceptions.GoneException):
        management.post_to_connection(ConnectionId=mine, Data=b"x")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_function_sends_to_all_clients_by_the_domain_name_of_its_event(sockets: Sockets) -> None:
    api = sockets.create()
    for key in ("$connect", "$disconnect", "send"):
        sockets.route(api, key)
    sockets.deploy(api)
    with sockets.connect(api) as one, sockets.connect(api) as other:
        one.send('{"action": "send", "data": "to everybody"}')
        assert other.recv(timeout=30) == "to everybody"
        assert one.recv(timeout=30) == "to everybody"


def test_what_is_larger_than_a_message_or_a_frame_may_be_ends_the_connection(sockets: Sockets) -> None:
    api = sockets.create()
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api)
    with sockets.connect(api) as socket:
        socket.send("x" * (32 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    with sockets.connect(api) as socket:
        socket.send(["x" * 30_000] * 4)
        assert len(told(socket)["body"]) == 120_000


def test_an_authorizer_decides_who_may_connect(sockets: Sockets) -> None:
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
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api)
    for query, status in (("", 401), ("?token=nobody", 401), ("?token=bad", 403)):
        with pytest.raises(InvalidStatus) as refused, sockets.connect(api, query):
            pass
        assert refused.value.response.status_code == status
    with sockets.connect(api, "?token=good") as socket:
        socket.send("x")
        said = told(socket)["requestContext"]["authorizer"]
    assert said == {"who": "good", "n": "1", "principalId": "user"}


def test_mocks_answer_by_templates(sockets: Sockets) -> None:
    api = sockets.create()
    mock = sockets.integrate(
        api,
        IntegrationType="MOCK",
        RequestTemplates={"200": '{"statusCode": 200}'},
        TemplateSelectionExpression="200",
    )
    sockets.gateway.create_integration_response(
        ApiId=api,
        IntegrationId=mock,
        IntegrationResponseKey="$default",
        TemplateSelectionExpression="200",
        ResponseTemplates={"200": '{"you": "$context.connectionId", "said": "$input.path(\'$.statusCode\')"}'},
    )
    sockets.route(api, "$connect", mock)
    sockets.route(api, "ping", mock, answers=True)
    sockets.deploy(api)
    with sockets.connect(api) as socket:
        socket.send('{"action": "ping"}')
        assert len(told(socket)["you"]) == 16


def test_a_message_has_to_be_what_its_model_says(sockets: Sockets) -> None:
    api = sockets.create()
    schema = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    sockets.gateway.create_model(ApiId=api, Name="order", ContentType="application/json", Schema=json.dumps(schema))
    sockets.route(
        api,
        "order",
        answers=True,
        ModelSelectionExpression="$request.body.action",
        RequestModels={"order": "order"},
    )
    sockets.deploy(api)
    with sockets.connect(api) as socket:
        socket.send('{"action": "order"}')
        assert told(socket)["message"] == "Forbidden"
        socket.send('{"action": "order", "name": "x"}')
        assert told(socket)["requestContext"]["routeKey"] == "order"


def test_messages_go_into_a_queue_by_a_template(sockets: Sockets) -> None:
    platform = sockets.platform
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    api = sockets.create()
    role = platform.client("iam").create_role(RoleName=f"r-{api}", AssumeRolePolicyDocument=json.dumps(trust))["Role"][
        "Arn"
    ]
    queues = platform.client("sqs")
    queue = queues.create_queue(QueueName=f"q-{api}")["QueueUrl"]
    path = "/".join(queue.split("/")[-2:])
    integration = sockets.integrate(
        api,
        IntegrationType="AWS",
        IntegrationMethod="POST",
        IntegrationUri=f"arn:aws:apigateway:{platform.region}:sqs:path/{path}",
        CredentialsArn=role,
        RequestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        RequestTemplates={
            "$default": (
                "Action=SendMessage&MessageBody=$util.urlEncode($input.body)&MessageAttribute.1.Name=from"
                "&MessageAttribute.1.Value.StringValue=$context.connectionId&MessageAttribute.1.Value.DataType=String"
            )
        },
        TemplateSelectionExpression="\\$default",
    )
    sockets.route(api, "$default", integration, answers=True)
    sockets.deploy(api)
    with sockets.connect(api) as socket:
        socket.send('{"some": "value & more"}')
        sent = told(socket)["SendMessageResponse"]["SendMessageResult"]["MessageId"]
    [message] = queues.receive_message(QueueUrl=queue, MessageAttributeNames=["All"], WaitTimeSeconds=10)["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent, '{"some": "value & more"}')
    assert len(message["MessageAttributes"]["from"]["StringValue"]) == 16
    queues.delete_queue(QueueUrl=queue)
