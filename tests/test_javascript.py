"""The AWS SDK for JavaScript against the running platform: Node runs `tests/javascript/platform.test.mjs`."""

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
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
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


def test_the_javascript_sdk_does_objects_tables_and_functions(platform: PlatformProcess) -> None:
    node = shutil.which("node")
    assert node, "node is missing; `make test` installs it into .venv/bin and puts that on the PATH"
    assert (FOLDER / "node_modules").is_dir(), "the SDK is missing; `make test` installs it"
    role = platform.client("iam").create_role(RoleName="javascript", AssumeRolePolicyDocument=json.dumps(TRUST))
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event['double'] * 2\n")
    streams = io.BytesIO()
    with zipfile.ZipFile(streams, "w") as archive:
        archive.writestr("index.mjs", STREAMS)
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": platform.region,
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
        "TEST_ROLE": role["Role"]["Arn"],
        "TEST_RUNTIME": f"python{sys.version_info[0]}.{sys.version_info[1]}",
        "TEST_NODE_ZIP": base64.b64encode(streams.getvalue()).decode(),
        "TEST_ZIP": base64.b64encode(package.getvalue()).decode(),
    }
    done = subprocess.run(
        [node, "--test", "platform.test.mjs"], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
