"""`mayfly init`: every application that one can begin with is deployed and used as its README says."""

import io
import json
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mayfly.cli.starting import APPLICATIONS, LANGUAGES
from tests.conftest import PlatformProcess

from .test_commands import mayfly

Outputs = dict[str, str]
BOTH = pytest.mark.parametrize("language", list(LANGUAGES))


@contextmanager
def begun(platform: PlatformProcess, tmp_path: Path, application: str, language: str) -> Iterator[Outputs]:
    """What an application's outputs are, while it is deployed."""
    folder = tmp_path / f"init-{application}-{language}"
    made = mayfly("init", application, str(folder), "--language", language, data=None)
    assert made.returncode == 0, made.stderr
    done = mayfly("deploy", str(folder / "template.yaml"), "--json", data=platform.data)
    try:
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)["Outputs"]
    finally:
        gone = mayfly("destroy", folder.name, "--yes", "--empty", data=platform.data)
    assert gone.returncode == 0, gone.stderr


def answer(url: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    """The status of an answer, and its JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def awaited(look: Callable[[], Any], seconds: float = 60) -> Any:
    """What `look` finds, once it finds anything."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.1)
    return found


def png(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">II", width, height) + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + b"\0\0\0\0"


def jpeg(width: int, height: int) -> bytes:
    comment = b"\xff\xfe" + struct.pack(">H", 7) + b"hello"
    frame = b"\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width) + b"\3" + bytes(9)
    return b"\xff\xd8" + comment + frame + b"\xff\xd9"


@BOTH
def test_hello(platform: PlatformProcess, tmp_path: Path, language: str) -> None:
    with begun(platform, tmp_path, "hello", language) as outputs:
        assert answer(outputs["Url"]) == (200, {"message": "hello, world"})
        assert answer(f"{outputs['Url']}?name=you") == (200, {"message": "hello, you"})


@BOTH
def test_api(platform: PlatformProcess, tmp_path: Path, language: str) -> None:
    with begun(platform, tmp_path, "api", language) as outputs:
        url = f"{outputs['Url']}/todos"
        assert answer(url) == (200, [])
        status, milk = answer(url, "POST", {"text": "buy milk"})
        assert (status, milk["text"], milk["done"]) == (201, "buy milk", False)
        assert answer(url) == (200, [milk])
        assert answer(f"{url}/{milk['id']}") == (200, milk)
        assert answer(url, "POST", {})[0] == 400
        assert answer(f"{url}/{milk['id']}", "DELETE")[0] == 204
        assert answer(f"{url}/{milk['id']}")[0] == 404


@BOTH
def test_pictures(platform: PlatformProcess, tmp_path: Path, language: str) -> None:
    with begun(platform, tmp_path, "pictures", language) as outputs:
        s3 = platform.client("s3")
        for key, picture in (("a b.png", png(3, 4)), ("deep/c.jpg", jpeg(50, 60)), ("text", b"text")):
            s3.put_object(Bucket=outputs["Bucket"], Key=key, Body=picture)
        url = f"{outputs['Url']}/pictures"
        seen = awaited(lambda: found if len(found := answer(url)[1]) == 3 else None)
        assert [(one["key"], one["format"], one.get("width"), one.get("height")) for one in seen] == [
            ("a b.png", "png", 3, 4),
            ("deep/c.jpg", "jpeg", 50, 60),
            ("text", "unknown", None, None),
        ]
        assert answer(f"{url}/deep/c.jpg") == (200, seen[1])
        assert answer(f"{url}/a%20b.png") == (200, seen[0])
        assert answer(f"{url}/none.png")[0] == 404


@BOTH
def test_jobs(platform: PlatformProcess, tmp_path: Path, language: str) -> None:
    with begun(platform, tmp_path, "jobs", language) as outputs:
        sqs, tables = platform.client("sqs"), platform.client("dynamodb")
        sent = sqs.send_message(QueueUrl=outputs["JobsUrl"], MessageBody='{"text": "count these words"}')
        key = {"id": {"S": sent["MessageId"]}}
        item = awaited(lambda: tables.get_item(TableName=outputs["Table"], Key=key).get("Item"))
        assert item["words"] == {"N": "3"}
        attributes = sqs.get_queue_attributes(QueueUrl=outputs["JobsUrl"], AttributeNames=["RedrivePolicy"])
        assert json.loads(attributes["Attributes"]["RedrivePolicy"])["maxReceiveCount"] in (3, "3")


@BOTH
def test_timer(platform: PlatformProcess, tmp_path: Path, language: str) -> None:
    with begun(platform, tmp_path, "timer", language) as outputs:
        reply = platform.client("lambda").invoke(FunctionName=outputs["Function"])
        assert "FunctionError" not in reply, reply["Payload"].read()
        assert json.load(io.BytesIO(reply["Payload"].read()))["free"] > 0
        schedule = platform.client("scheduler").get_schedule(Name=f"init-timer-{language}-tick")
        assert schedule["State"] == "ENABLED"
        (alarm,) = platform.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"init-timer-{language}")[
            "MetricAlarms"
        ]
        assert alarm["AlarmActions"] == [outputs["Topic"]]


def test_what_there_is_is_listed_and_nothing_is_overwritten(tmp_path: Path) -> None:
    listed = mayfly("init", "--list", data=None).stdout
    assert all(name in listed for name in APPLICATIONS)
    (tmp_path / "mine").write_text("mine")
    refused = mayfly("init", "hello", str(tmp_path), data=None)
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    unknown = mayfly("init", "helo", str(tmp_path / "x"), data=None)
    assert "there is no application helo" in unknown.stderr
    unasked = mayfly("init", data=None)
    assert "say what to begin with" in unasked.stderr
    language = mayfly("init", "hello", str(tmp_path / "x"), "--language", "cobol", data=None)
    assert "there are no applications in cobol" in language.stderr
