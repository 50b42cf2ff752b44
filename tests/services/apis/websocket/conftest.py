"""Fixtures of tests of WebSocket APIs against a running platform."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from websockets.sync.client import ClientConnection, connect

from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import role

__all__ = ["role"]  # fixtures

CODE = """
import base64, json, os, boto3

def table():
    return boto3.resource("dynamodb").Table(os.environ["TABLE"])

def connections(event):
    context = event["requestContext"]
    return boto3.client(
        "apigatewaymanagementapi", endpoint_url="https://" + context["domainName"] + "/" + context["stage"]
    )

def handler(event, context):
    asked = event["requestContext"]
    route, me = asked["routeKey"], asked["connectionId"]
    if route == "$connect":
        status = (event.get("queryStringParameters") or {}).get("status", "200")
        if status == "fail":
            raise ValueError("refused")
        table().put_item(Item={"id": me, "event": json.dumps(event)})
        answer = {"statusCode": int(status)}
        if "Sec-WebSocket-Protocol" in event["headers"] or "sec-websocket-protocol" in event["headers"]:
            answer["headers"] = {"Sec-WebSocket-Protocol": "chat"}
        return answer
    if route == "$disconnect":
        table().put_item(Item={"id": me, "event": json.dumps(event), "gone": True})
        return {"statusCode": 200}
    if route == "send":
        data = json.loads(event["body"])["data"]
        for item in table().scan()["Items"]:
            if not item.get("gone"):
                try:
                    connections(event).post_to_connection(ConnectionId=item["id"], Data=data.encode())
                except Exception as error:
                    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 410:
                        raise
        return {"statusCode": 200}
    if route == "fail":
        raise ValueError("failed")
    return {"statusCode": 200, "body": json.dumps(event)}

def authorize(event, context):
    token = event["queryStringParameters"]["token"]
    if token == "nobody":
        raise Exception("Unauthorized")
    effect = "Allow" if token == "good" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {
        "principalId": "user", "context": {"who": token, "n": 1},
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
"""


class Sockets:
    """WebSocket APIs under test."""

    def __init__(self, platform: PlatformProcess, functions: dict[str, str], table: str) -> None:
        self.platform = platform
        self.functions = functions
        self.table = table
        self.gateway: Any = platform.client("apigatewayv2")
        self.made: list[str] = []

    def create(self, **params: Any) -> str:
        usual = {
            "Name": f"sockets-{uuid4().hex[:8]}",
            "ProtocolType": "WEBSOCKET",
            "RouteSelectionExpression": "$request.body.action",
        }
        made = self.gateway.create_api(**{**usual, **params})
        self.made.append(made["ApiId"])
        return str(made["ApiId"])

    def integrate(self, api: str, **params: Any) -> str:
        """An integration, by default with the function; its id."""
        if "IntegrationType" not in params:
            region, arn = self.platform.region, self.functions["handler"]
            uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"
            params = {"IntegrationType": "AWS_PROXY", "IntegrationUri": uri, **params}
        return str(self.gateway.create_integration(ApiId=api, **params)["IntegrationId"])

    def route(self, api: str, key: str, integration: str | None = None, *, answers: bool = False, **params: Any) -> str:
        target = f"integrations/{integration or self.integrate(api)}"
        if answers:
            params["RouteResponseSelectionExpression"] = "$default"
        made = self.gateway.create_route(ApiId=api, RouteKey=key, Target=target, **params)["RouteId"]
        if answers:
            self.gateway.create_route_response(ApiId=api, RouteId=made, RouteResponseKey="$default")
        return str(made)

    def deploy(self, api: str, **params: Any) -> None:
        self.gateway.create_stage(ApiId=api, StageName="dev", AutoDeploy=True, **params)

    @contextmanager
    def connect(self, api: str, query: str = "", **params: Any) -> Iterator[ClientConnection]:
        url = self.platform.url.replace("http", "ws", 1)
        with connect(f"{url}/_mayfly/api/{api}/dev{query}", open_timeout=30, **params) as socket:
            yield socket

    def management(self, api: str) -> Any:
        """A client of `@connections`."""
        url = f"{self.platform.url}/_mayfly/api/{api}/dev"
        return boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=url,
            region_name=self.platform.region,
            aws_access_key_id=self.platform.access_key_id,
            aws_secret_access_key=self.platform.secret_access_key,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def items(self) -> list[dict[str, Any]]:
        """Connections as the function wrote them down."""
        found: list[dict[str, Any]] = self.platform.client("dynamodb").scan(TableName=self.table)["Items"]
        return found


@pytest.fixture(scope="session")
def socket_functions(platform: PlatformProcess, role: str) -> Iterator[tuple[dict[str, str], str]]:
    """The ARNs of the functions of `CODE`, by handler, and the name of their table."""
    tables = platform.client("dynamodb")
    table = f"connections-{uuid4().hex[:8]}"
    tables.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    lambda_ = platform.client("lambda", read_timeout=60)
    arns = {}
    for handler in ("handler", "authorize"):
        name = f"sockets-{handler}-{uuid4().hex[:8]}"
        made = lambda_.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler=f"app.{handler}",
            Role=role,
            Code={"ZipFile": zipped({"app.py": CODE})},
            Timeout=20,
            Environment={"Variables": {"TABLE": table}},
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
        lambda_.add_permission(
            FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
        )
        arns[handler] = made["FunctionArn"]
    yield arns, table
    for arn in arns.values():
        lambda_.delete_function(FunctionName=arn)
    tables.delete_table(TableName=table)


@pytest.fixture
def sockets(platform: PlatformProcess, socket_functions: tuple[dict[str, str], str]) -> Iterator[Sockets]:
    stage = Sockets(platform, *socket_functions)
    yield stage
    for api in stage.made:
        stage.gateway.delete_api(ApiId=api)


def told(socket: ClientConnection) -> Any:
    """The next message, as JSON."""
    return json.loads(socket.recv(timeout=30))
