"""The AWS SDK for JavaScript against the running platform: Node runs the tests in `tests/javascript`."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import PlatformProcess

FOLDER = Path(__file__).parent / "javascript"
SERVICES = ["lambda.amazonaws.com", "scheduler.amazonaws.com", "pipes.amazonaws.com"]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sts:AssumeRole"}],
}
STREAMS = """
export const handler = awslambda.streamifyResponse(async (event, out) => {
  for (let part = 0; part < event.parts; part++) {
    if (!out.write("x".repeat(event.size))) await new Promise((go) => out.once("drain", go));
  }
  if (event.then === "fail") throw new Error("on purpose");
  out.end();
});
"""


def run_in_node(script: str, platform: PlatformProcess, **environment: str) -> None:
    """Run a file of tests with the SDK pointed at the platform; fails with what it printed."""
    node = shutil.which("node")
    assert node, "node is missing; `make test` installs it into .venv/bin and puts that on the PATH"
    assert (FOLDER / "node_modules").is_dir(), "the SDK is missing; `make test` installs it"
    environment |= {
        "PATH": os.environ["PATH"],
        "AWS_REGION": platform.region,
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
    }
    command = [node, "--test", script]
    done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def zipped(name: str, source: str) -> str:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(name, source)
    return base64.b64encode(package.getvalue()).decode()


def make_role(platform: PlatformProcess, name: str) -> str:
    made = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    arn: str = made["Role"]["Arn"]
    return arn


def test_the_javascript_sdk_does_objects_tables_and_functions(platform: PlatformProcess) -> None:
    run_in_node(
        "platform.test.mjs",
        platform,
        TEST_ROLE=make_role(platform, "javascript"),
        TEST_RUNTIME=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        TEST_NODE_ZIP=zipped("index.mjs", STREAMS),
        TEST_ZIP=zipped("app.py", "def handler(event, context):\n    return event['double'] * 2\n"),
    )


def test_the_javascript_sdk_does_queues_topics_events_schedules_pipes_and_alarms(platform: PlatformProcess) -> None:
    run_in_node("messaging.test.mjs", platform, TEST_ROLE=make_role(platform, "javascript-messaging"))
