"""The AWS CDK and the Serverless Framework, unmodified, against the running platform: see `tests/deployers`."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mayfly.cli.environment import with_preload
from tests.conftest import RUNTIMES, PlatformProcess

FOLDER = Path(__file__).parent / "deployers"
MODULES = FOLDER / "node_modules"
Tool = Callable[..., str]

pytestmark = pytest.mark.skipif(
    not MODULES.is_dir() and "CI" not in os.environ, reason="`make test` installs the CDK and the Serverless Framework"
)


def tool_in(name: str, platform: PlatformProcess, tmp_path: Path) -> Tool:
    """`run("cdk", "deploy")` in a copy of an application; what it printed, and a failure when it fails."""
    application = tmp_path / name
    shutil.copytree(FOLDER / name, application)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "NODE_PATH": str(MODULES),
        "CI": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "1",
        "SLS_TELEMETRY_DISABLED": "1",
        "SLS_NOTIFICATIONS_MODE": "off",
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_REGION": platform.region,
        "AWS_DEFAULT_REGION": platform.region,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
    }

    def run(command: str, *arguments: str, **more: str) -> str:
        program = [str(MODULES / ".bin" / command), *arguments]
        done = subprocess.run(
            program, cwd=application, env=environment | more, capture_output=True, text=True, timeout=150, check=False
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
        return done.stdout + done.stderr

    return run


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.2)


def outputs(platform: PlatformProcess, stack: str) -> dict[str, str]:
    (found,) = platform.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}


def got(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, body, {"Content-Type": "text/plain"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.skipif(
    not RUNTIMES.is_dir() and "CI" not in os.environ,
    reason="`make test` installs Node.js, which the CDK's functions need",
)
def test_the_cdk_bootstraps_deploys_changes_and_destroys_an_application(
    platform: PlatformProcess, tmp_path: Path
) -> None:
    tool = tool_in("cdk", platform, tmp_path)

    def run(*arguments: str, **more: str) -> str:
        return tool("cdk", *arguments, NODE_OPTIONS=f"--require={FOLDER / 'impatience.cjs'}", **more)

    place = f"aws://{platform.account}/{platform.region}"
    run("bootstrap", place, "--tags", "mayfly:inert=AWS::ECR")
    run("deploy", "--require-approval", "never")
    found = outputs(platform, "cdk-shop")
    assert got(found["Url"]) == (200, "hello")
    platform.client("s3").put_object(Bucket=found["Bucket"], Key="in/cat.jpg", Body=b"cat")
    tables = platform.client("dynamodb")
    until(lambda: tables.scan(TableName=found["Table"])["Items"] == [{"id": {"S": "in/cat.jpg"}}])
    site = platform.client("s3").get_object(Bucket=found["Bucket"], Key="site/site.json")["Body"].read()
    assert json.loads(site) == {"table": found["Table"]}, "what the AWS CLI of a layer brought there"
    inner = platform.client("ssm").get_parameter(Name=found["Parameter"])["Parameter"]["Value"]
    assert inner == found["Table"]
    (group,) = platform.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{found['Function']}")[
        "logGroups"
    ]
    assert group["retentionInDays"] == 7
    assert "GREETING" in run("diff", GREETING="good day")
    deploy = ("deploy", "--app", "cdk.out", "--require-approval", "never")  # what the diff has left there
    run(*deploy)
    assert got(found["Url"]) == (200, "good day")
    assert "no changes" in run(*deploy)
    run("destroy", "--app", "cdk.out", "--force")
    assert found["Bucket"] not in [one["Name"] for one in platform.client("s3").list_buckets()["Buckets"]]
    assert found["Table"] not in tables.list_tables()["TableNames"]


def test_the_serverless_framework_deploys_invokes_and_removes_a_service(
    platform: PlatformProcess, tmp_path: Path
) -> None:
    framework = tool_in("serverless", platform, tmp_path)

    def run(*arguments: str) -> str:
        return framework("serverless", *arguments, NODE_OPTIONS=with_preload(""))

    run("deploy")
    (api,) = [one for one in platform.client("apigatewayv2").get_apis()["Items"] if one["Name"] == "dev-sls-notes"]
    notes = f"{platform.url}/_mayfly/api/{api['ApiId']}/notes"
    assert got(f"{notes}/1", "PUT", b"buy milk")[0] == 201
    status, body = got(f"{notes}/1")
    assert (status, json.loads(body)) == (200, {"id": "1", "text": "buy milk"})
    assert got(f"{notes}/2")[0] == 404
    platform.client("sqs").send_message(QueueUrl=outputs(platform, "sls-notes-dev")["Work"], MessageBody="2")
    until(lambda: got(f"{notes}/2")[0] == 200)
    assert run("invoke", "--function", "work", "--data", "{}").strip().startswith("null")
    assert "sls-notes" in run("info")
    run("deploy", "--force")
    run("remove")
    names = [one["FunctionName"] for one in platform.client("lambda").list_functions()["Functions"]]
    assert not any(name.startswith("sls-notes") for name in names)


def test_there_are_no_repositories_of_images(platform: PlatformProcess) -> None:
    registries: Any = platform.client("ecr")
    assert registries.describe_repositories()["repositories"] == []
    with pytest.raises(registries.exceptions.RepositoryNotFoundException, match="The repository with name 'shop'"):
        registries.describe_repositories(repositoryNames=["shop"])
    with pytest.raises(registries.exceptions.RepositoryNotFoundException, match="The repository with name 'shop'"):
        registries.list_images(repositoryName="shop")
    inert = "cdk-hnb659fds-container-assets-000000000000-us-east-1"
    assert registries.list_images(repositoryName=inert)["imageIds"] == []
    with pytest.raises(ClientError, match="mayfly image import"):
        registries.describe_repositories(repositoryNames=[inert])
