"""A whole server that is given a secret in every place that takes one, works, and is killed: no file that it leaves
behind holds one of them in clear."""

import base64
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.cli.connection import Connection, connect
from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.stacks.test_sudden_death import TRUST, Mortal

CODE = """
import os
def handler(event, context):
    if "fail" in event:
        raise RuntimeError("as asked")
    if event.get("RequestType"):
        raise RuntimeError("it answers nobody")
    return {"kept": "-".join(("returned", "by", "the", "function"))}
"""
RETURNED = "returned-by-the-function"
NOWHERE = "http://192.0.2.1:9/"  # an address that nobody has
PUBLIC = {"authority.pem", "certificates.pem", "home.json", "server.json"}
ANYBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


class Secrets:
    """Secrets by where they were put."""

    def __init__(self) -> None:
        self.put: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        """A fresh one to put somewhere."""
        return self.has(place, f"s3cr3t-{place.replace(' ', '-')}-{os.urandom(6).hex()}")

    def has(self, place: str, value: str) -> str:
        self.put[place] = value
        return value

    def in_clear(self, folder: Path) -> list[str]:
        """Which of them stand in which file, also in base64 or with JSON's escapes."""
        found = []
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                found += [f"{place}: {path.relative_to(folder)}" for place, value in self.put.items()
                          if any(form in content for form in _forms(value))]  # fmt: skip
        return found


def _forms(value: str) -> set[bytes]:
    plain = value.encode()
    return {plain, plain.hex().encode(), *(base64.b64encode(b" " * skipped + plain)[4:-4] for skipped in range(3))}


class Tenant:
    """Who gives secrets to a platform."""

    def __init__(self, platform: PlatformProcess, secrets: Secrets) -> None:
        self.platform, self.secrets = platform, secrets
        iam = platform.client("iam")
        policy = json.dumps({"Version": "2012-10-17", **TRUST})
        self.role = iam.create_role(RoleName="runs", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        self.functions = platform.client("lambda")

    def function(self, name: str) -> str:
        made = self.functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="app.handler",
            Role=self.role,
            Code={"ZipFile": zipped({"app.py": CODE})},
            Environment={"Variables": {"TOKEN": self.secrets(f"variable of {name}")}},
            Publish=True,
        )
        self.functions.get_waiter("function_active_v2").wait(FunctionName=name)
        return str(made["FunctionArn"]).removesuffix(":1")

    def everywhere(self) -> None:
        for give in (self.configs, self.identity, self.events, self.apis, self.topics, self.asynchronous, self.sandbox):
            give()

    def configs(self) -> None:
        secrets, manager, ssm = self.secrets, self.platform.client("secretsmanager"), self.platform.client("ssm")
        manager.create_secret(Name="a", SecretString=secrets("first value of a secret"))
        manager.put_secret_value(SecretId="a", SecretString=secrets("second value of a secret"))
        manager.create_secret(Name="b", SecretBinary=secrets("binary value of a secret").encode())
        for number in ("first", "second"):
            ssm.put_parameter(
                Name="/a", Type="SecureString", Value=secrets(f"{number} value of a parameter"), Overwrite=True
            )

    def identity(self) -> None:
        iam, sts, secrets = self.platform.client("iam"), self.platform.client("sts"), self.secrets
        iam.create_user(UserName="u")
        secrets.has("access key", iam.create_access_key(UserName="u")["AccessKey"]["SecretAccessKey"])
        role = iam.create_role(RoleName="taken", AssumeRolePolicyDocument=json.dumps(ANYBODY))["Role"]["Arn"]
        session = sts.assume_role(RoleArn=role, RoleSessionName="mine")["Credentials"]
        secrets.has("secret of a session", session["SecretAccessKey"])
        secrets.has("token of a session", session["SessionToken"])

    def events(self) -> None:
        events, secrets = self.platform.client("events"), self.secrets
        header = {"Key": "X-More", "Value": secrets("header of a connection"), "IsValueSecret": True}
        connection = events.create_connection(
            Name="c",
            AuthorizationType="API_KEY",
            AuthParameters={
                "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": secrets("API key of a connection")},
                "InvocationHttpParameters": {"HeaderParameters": [header]},
            },
        )["ConnectionArn"]
        basic = {"Username": "u", "Password": secrets("password of a connection")}
        events.create_connection(Name="d", AuthorizationType="BASIC", AuthParameters={"BasicAuthParameters": basic})
        oauth = {
            "AuthorizationEndpoint": NOWHERE,
            "HttpMethod": "POST",
            "ClientParameters": {"ClientID": "i", "ClientSecret": secrets("client secret of a connection")},
        }
        events.create_connection(
            Name="e", AuthorizationType="OAUTH_CLIENT_CREDENTIALS", AuthParameters={"OAuthParameters": oauth}
        )
        destination = events.create_api_destination(
            Name="out", ConnectionArn=connection, InvocationEndpoint=NOWHERE, HttpMethod="POST"
        )["ApiDestinationArn"]
        events.put_rule(Name="r", EventPattern='{"source": ["mine"]}')
        events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": destination, "RoleArn": self.role}])
        detail = json.dumps({"password": secrets("event that waits for a destination")})
        events.put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": detail}])
        page = connect(self.platform.data)
        post(page, "/_mayfly/webhooks", {"name": "w", "scheme": "github", "secret": secrets("secret of a webhook")})
        token = post(page, "/_mayfly/events/default/tokens", {})
        secrets.has("token of a bus", token["token"])

    def apis(self) -> None:
        gateway, secrets = self.platform.client("apigateway"), self.secrets
        key = gateway.create_api_key(name="made", enabled=True)
        secrets.has("API key that was made up", key["value"])
        given = secrets("API key that was given")
        gateway.create_api_key(name="given", enabled=True, value=given)
        imported = secrets("API key that was imported")
        gateway.import_api_keys(format="csv", body=f"name,key\nimported,{imported}\n".encode())
        gateway.update_api_key(apiKey=key["id"], patchOperations=[{"op": "replace", "path": "/name", "value": "new"}])
        gateway.generate_client_certificate()
        shown = {one["name"]: one["value"] for one in gateway.get_api_keys(includeValues=True)["items"]}
        assert shown == {"new": key["value"], "given": given, "imported": imported}

    def topics(self) -> None:
        sns = self.platform.client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=NOWHERE)
        endpoint = f"https://me:{self.secrets('password in a URL')}@192.0.2.1:9/"
        sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=endpoint)
        hears = self.function("hears")
        permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
        self.functions.add_permission(FunctionName="hears", **permission)
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=hears)
        sns.publish(TopicArn=topic, Message=self.secrets("message that was delivered"))

    def asynchronous(self) -> None:
        """An event that waits for its second attempt, one that was given up, and one that returned something."""
        secrets = self.secrets
        self.function("f")
        self.function("never")
        self.functions.put_function_concurrency(FunctionName="never", ReservedConcurrentExecutions=0)
        waits = {"fail": True, "password": secrets("event that waits"), "more": "x" * 5000}
        given_up = {"password": secrets("event that was given up")}
        for name, event in (("f", waits), ("never", given_up), ("f", {})):
            self.functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
        secrets.has("result of a function", RETURNED)
        self.stack()
        page = connect(self.platform.data)
        until(lambda: any(task.get("result") for task in tasks(page, "f", "succeeded")))
        until(lambda: tasks(page, "never", "failed"))
        until(lambda: any("failedAttempts" in task for task in tasks(page, "f", "queued")))

    def stack(self) -> None:
        """A custom resource whose function fails, so that the request waits to be sent again."""
        properties = {"ServiceToken": self.function("custom"), "Password": {"Ref": "Password"}}
        template = {
            "Parameters": {"Password": {"Type": "String", "NoEcho": True}},
            "Resources": {"Thing": {"Type": "Custom::Thing", "Properties": properties}},
        }
        given = {"ParameterKey": "Password", "ParameterValue": self.secrets("parameter of a stack")}
        self.platform.client("cloudformation").create_stack(
            StackName="s", TemplateBody=json.dumps(template), Parameters=[given]
        )
        page = connect(self.platform.data)
        until(lambda: any("failedAttempts" in task for task in tasks(page, "custom", "queued")))

    def sandbox(self) -> None:
        page = connect(self.platform.data)
        variables = {"TOKEN": self.secrets("variable of a snapshot")}
        made = post(page, "/_mayfly/sandboxes", {"environment": variables})
        post(page, f"/_mayfly/sandboxes/{made['id']}/snapshot", {})
        (snapshot,) = get(page, "/_mayfly/sandboxes/snapshots")["snapshots"]
        assert snapshot["wanted"]["environment"] == variables


def get(page: Connection, path: str) -> Any:
    with page.open("GET", path, b"") as reply:
        return json.load(reply)


def post(page: Connection, path: str, body: Any) -> Any:
    with page.open("POST", path, json.dumps(body).encode()) as reply:
        return json.load(reply)


def until(condition: Any) -> None:
    """Return once it holds; the test's own timeout is the bound."""
    while not condition():
        time.sleep(0.05)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    made = Mortal(tmp_path / "data")
    yield made
    made.end()


@pytest.mark.timeout(280)
def test_no_file_that_a_killed_server_leaves_holds_a_secret(mortal: Mortal, tmp_path: Path) -> None:
    secrets, data = Secrets(), tmp_path / "data"
    Tenant(mortal.platform, secrets).everywhere()
    assert len(secrets.put) > 20
    mortal.kill()
    assert secrets.in_clear(tmp_path) == []
    assert [path.name for path in holding(data, b"PRIVATE KEY")] == ["tls.pem"]
    assert for_all(data) <= PUBLIC
    mortal.start()
    key = mortal.platform.client("apigateway").get_api_keys(includeValues=True, nameQuery="given")["items"][0]
    assert key["value"] == secrets.put["API key that was given"]
    page = connect(data)
    (task,) = tasks(page, "f", "succeeded")
    assert task["result"] == {"kept": RETURNED}
    assert secrets.in_clear(tmp_path) == []


def tasks(page: Connection, function: str, state: str) -> list[Any]:
    listed = get(page, f"/_mayfly/tasks?function={function}&state={state}")["tasks"]
    return [get(page, f"/_mayfly/tasks/{task['id']}") for task in listed]


def for_all(data: Path) -> set[str]:
    """What others than the owner may read or enter; images are for those who unpack them, too, who are a group."""
    modes = {path.name: path.stat().st_mode & 0o077 for path in data.iterdir() if not path.is_symlink()}
    return {name for name, mode in modes.items() if mode and (name, mode) != ("images", 0o050)}


def holding(folder: Path, text: bytes) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if text in path.read_bytes()]
