"""What tests of HTTP APIs over the wire share: functions, requests, and what came back."""

import http.client
import io
import json
import zipfile
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.conftest import PlatformProcess

ECHO = "import json\ndef h(event, context): return {'statusCode': 200, 'body': json.dumps(event)}"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "apigateway.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: list[tuple[str, str]]  # lower-case names
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def role(platform: PlatformProcess, name: str) -> str:
    iam = platform.client("iam")
    try:
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    return arn


def function(platform: PlatformProcess, name: str, code: str = ECHO, *, open_to_apis: bool = True) -> str:
    """A function whose handler is `h`; its ARN."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", code)
    functions = platform.client("lambda")
    arn: str = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role(platform, "http-apis"),
        Handler="f.h",
        Code={"ZipFile": packed.getvalue()},
        Timeout=10,
    )["FunctionArn"]
    if open_to_apis:
        functions.add_permission(
            FunctionName=name,
            StatementId="apis",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{platform.region}:{platform.account}:*/*",
        )
    return arn


def ask(
    url: str, path: str = "", method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """One request, its path as it is written."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, f"{parts.path}{path}" or "/", body, headers or {})
        reply = connection.getresponse()
        return Answer(reply.status, [(key.lower(), value) for key, value in reply.getheaders()], reply.read())
    finally:
        connection.close()
