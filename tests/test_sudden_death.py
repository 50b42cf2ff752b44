"""The server is killed with SIGKILL in the middle of the main job, again and again; nothing may be lost."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from mayfly.app.directory import DataDirectory
from mayfly.sandbox.agent.cgroups import group_name
from tests.conftest import PlatformProcess, start_platform

KILLS = 4
UPLOADERS = 4
UPLOADS_A_ROUND = 12
HANDLER = """
import os
import boto3

table = boto3.client("dynamodb")


def handler(event, context):
    for record in event["Records"]:
        print("saw", record["s3"]["object"]["key"])
        table.update_item(
            TableName="seen",
            Key={"key": {"S": record["s3"]["object"]["key"]}},
            UpdateExpression="ADD times :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]


def make_application(platform: PlatformProcess) -> None:
    """A bucket whose new objects a function counts in a table."""
    role = platform.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", HANDLER)
    functions, objects, tables = platform.client("lambda"), platform.client("s3"), platform.client("dynamodb")
    arn = functions.create_function(
        FunctionName="see",
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
        MemorySize=512,
        Timeout=20,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="see")
    functions.add_permission(
        FunctionName="see", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    tables.create_table(
        TableName="seen",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    objects.create_bucket(Bucket="uploads")
    objects.put_bucket_notification_configuration(
        Bucket="uploads",
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )


class Uploads:
    """Threads that upload until told to stop, and remember what was acknowledged."""

    def __init__(self) -> None:
        self.platform: PlatformProcess | None = None
        self.acknowledged: set[str] = set()
        self.stop = threading.Event()

    def wait_for(self, count: int) -> None:
        """Return when `count` uploads were acknowledged; the test's time-out bounds it."""
        while len(self.acknowledged) < count:
            time.sleep(0.01)

    def work(self, name: int) -> None:
        number, client, used = 0, None, None
        while not self.stop.is_set():
            platform = self.platform
            if platform is None:
                time.sleep(0.01)
                continue
            if platform is not used:
                client, used = platform.client("s3", connect_timeout=2, read_timeout=10), platform
            key = f"{name}-{number}"
            number += 1
            try:
                assert client is not None
                client.put_object(Bucket="uploads", Key=key, Body=key.encode() * 1000)
            except (BotoCoreError, ClientError):
                continue  # not acknowledged: it may or may not be there
            self.acknowledged.add(key)
            time.sleep(0.03)


@contextmanager
def uploading() -> Iterator[Uploads]:
    uploads = Uploads()
    threads = [threading.Thread(target=uploads.work, args=(name,)) for name in range(UPLOADERS)]
    for thread in threads:
        thread.start()
    try:
        yield uploads
    finally:
        uploads.stop.set()
        for thread in threads:
            thread.join()


def descendants(pid: int) -> set[int]:
    """All processes below `pid`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.add(child)
            todo.append(child)
    return found


def wait_until_gone(pids: set[int]) -> None:
    """Wait for the kernel to bury processes; the test's time-out bounds it."""
    deadline = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < deadline, f"still alive: {[pid for pid in pids if os.path.exists(f'/proc/{pid}')]}"
        time.sleep(0.02)


def seen(platform: PlatformProcess) -> dict[str, int]:
    """How often each object was seen by the function."""
    found: dict[str, int] = {}
    for page in platform.client("dynamodb").get_paginator("scan").paginate(TableName="seen", ConsistentRead=True):
        found |= {item["key"]["S"]: int(item["times"]["N"]) for item in page["Items"]}
    return found


def control_groups(data: Path) -> list[Path]:
    """Control groups of the server on a data directory."""
    name = group_name(str(DataDirectory(data).sandbox))
    # Unlike `glob`, `walk` takes no offence at groups of others that go meanwhile.
    found = os.walk("/sys/fs/cgroup")
    return [Path(above, group) for above, groups, _ in found for group in groups if group.startswith(name)]


def mounts(data: Path) -> list[str]:
    """Mounts of the host that have to do with the data directory."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(data) in line]


def test_every_acknowledged_object_is_processed_although_the_server_is_killed(tmp_path: Path) -> None:
    data, dice = tmp_path / "data", random.Random(20)
    server, platform = start_platform(data)
    try:
        make_application(platform)
        with uploading() as uploads:
            for _ in range(KILLS):
                uploads.platform = platform
                uploads.wait_for(len(uploads.acknowledged) + UPLOADS_A_ROUND)
                time.sleep(dice.random())
                family = descendants(server.pid)
                assert control_groups(data)
                server.send_signal(signal.SIGKILL)
                server.wait()
                uploads.platform = None
                wait_until_gone(family)
                server, platform = start_platform(data)
            uploads.platform = platform
            uploads.wait_for(len(uploads.acknowledged) + UPLOADS_A_ROUND)
        check_everything_arrives(platform, uploads.acknowledged)
        family = descendants(server.pid)
        server.terminate()
        assert server.wait(60) == 0
        wait_until_gone(family)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    assert control_groups(data) == []
    assert mounts(data) == []


def check_everything_arrives(platform: PlatformProcess, acknowledged: set[str]) -> None:
    """Objects, items, logs and usage of everything that was acknowledged."""
    deadline = time.monotonic() + 90
    while missing := acknowledged - seen(platform).keys():
        assert time.monotonic() < deadline, f"{len(missing)} of {len(acknowledged)} objects were never processed"
        time.sleep(0.2)
    objects: Any = platform.client("s3")
    for key in sorted(acknowledged)[:: max(1, len(acknowledged) // 50)]:
        assert objects.get_object(Bucket="uploads", Key=key)["Body"].read() == key.encode() * 1000
    logs = platform.client("logs").get_paginator("filter_log_events")
    lines = [
        event["message"].strip() for page in logs.paginate(logGroupName="/aws/lambda/see") for event in page["events"]
    ]
    assert {f"saw {key}" for key in acknowledged} <= set(lines)
    usage = subprocess.run(
        [sys.executable, "-m", "mayfly", "usage", "--json", "--data", str(platform.data)],
        check=True,
        capture_output=True,
        text=True,
    )
    reports = sum(line.startswith("REPORT ") for line in lines)
    assert json.loads(usage.stdout)["total"]["requests"] == reports
