"""Fixtures of tests of REST APIs against a running platform."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import role

__all__ = ["role"]  # fixtures

CODE = """
import json

def echo(event, context):
    return {"statusCode": 200, "body": json.dumps(event)}

def answer(event, context):
    return json.loads(event["body"])

def plain(event, context):
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError(event["fail"])
    return event

def authorize(event, context):
    token = event.get("authorizationToken") or (event.get("headers") or {}).get("x-token") or ""
    if token == "nobody":
        raise Exception("Unauthorized")
    if token == "broken":
        return {"no": "policy"}
    effect = "Allow" if token.startswith("good") else "Deny"
    resource = event["methodArn"]
    if token == "good-all":
        resource = "*"
    return {
        "principalId": token,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
        },
        "context": {"who": token, "count": 3, "yes": True},
        "usageIdentifierKey": "key-of-the-authorizer-1",
    }
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """What is answered, whatever its status."""
    given = headers or {}
    if body is not None and "Content-Type" not in given:
        given = {**given, "Content-Type": "application/json"}
    request = Request(url, data=body, method=method, headers=given)
    try:
        with urlopen(request, timeout=30) as reply:
            return Answer(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


class Rest:
    """An API under test: the client, and shortcuts."""

    def __init__(self, platform: PlatformProcess, functions: dict[str, str]) -> None:
        self.platform = platform
        self.gateway: Any = platform.client("apigateway")
        self.functions = functions
        self.made: list[str] = []

    def create(self, **params: Any) -> str:
        made = self.gateway.create_rest_api(**{"name": f"api-{uuid4().hex[:8]}", **params})
        self.made.append(made["id"])
        return str(made["id"])

    def said_of(self, request_id: str) -> list[str]:
        """The lines of the server's log about a request."""
        data = self.platform.data
        return [line for line in (data.parent / f"{data.name}.log").read_text().splitlines() if request_id in line]

    def root(self, api: str) -> str:
        return str(self.gateway.get_rest_api(restApiId=api)["rootResourceId"])

    def resource(self, api: str, part: str, parent: str | None = None) -> str:
        made = self.gateway.create_resource(restApiId=api, parentId=parent or self.root(api), pathPart=part)
        return str(made["id"])

    def function_uri(self, handler: str) -> str:
        region, arn = self.platform.region, self.functions[handler]
        return f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"

    def method(self, api: str, resource: str, verb: str, **params: Any) -> None:
        usual = {"authorizationType": "NONE"}
        self.gateway.put_method(restApiId=api, resourceId=resource, httpMethod=verb, **{**usual, **params})

    def proxy(self, api: str, resource: str, verb: str, handler: str = "echo", **params: Any) -> None:
        """A method with a Lambda proxy integration."""
        self.method(api, resource, verb, **params)
        self.integrate(api, resource, verb, type="AWS_PROXY", uri=self.function_uri(handler))

    def integrate(self, api: str, resource: str, verb: str, **params: Any) -> None:
        usual = {"integrationHttpMethod": "POST"}
        self.gateway.put_integration(restApiId=api, resourceId=resource, httpMethod=verb, **{**usual, **params})

    def respond(self, api: str, resource: str, verb: str, status: str = "200", **params: Any) -> None:
        """A method response and an integration response; headers of the latter are declared by the former."""
        where = {"restApiId": api, "resourceId": resource, "httpMethod": verb, "statusCode": status}
        headers = dict.fromkeys(params.get("responseParameters", {}), False)
        self.gateway.put_method_response(**where, responseParameters=headers)
        self.gateway.put_integration_response(**where, **params)

    def deploy(self, api: str, stage: str = "dev", **params: Any) -> str:
        made = self.gateway.create_deployment(restApiId=api, stageName=stage, **params)
        return str(made["id"])

    def url(self, api: str, path: str, stage: str = "dev") -> str:
        return f"{self.platform.url}/_mayfly/api/{api}/{stage}{path}"


@pytest.fixture(scope="session")
def rest_functions(platform: PlatformProcess, role: str) -> Iterator[dict[str, str]]:
    """The ARNs of the functions of `CODE`, by handler; any API may call them."""
    lambda_ = platform.client("lambda", read_timeout=60)
    arns = {}
    for handler in ("echo", "answer", "plain", "authorize"):
        name = f"rest-{handler}-{uuid4().hex[:8]}"
        made = lambda_.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler=f"app.{handler}",
            Role=role,
            Code={"ZipFile": zipped({"app.py": CODE})},
            Timeout=20,
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
        lambda_.add_permission(
            FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
        )
        arns[handler] = made["FunctionArn"]
    yield arns
    for arn in arns.values():
        lambda_.delete_function(FunctionName=arn)


@pytest.fixture
def rest(platform: PlatformProcess, rest_functions: dict[str, str]) -> Iterator[Rest]:
    stage = Rest(platform, rest_functions)
    yield stage
    for api in stage.made:
        stage.gateway.delete_rest_api(restApiId=api)


Send = Callable[..., Answer]
