"""A subscriber as people write them: an HTTP server that confirms, and checks messages with a published package."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PlatformProcess, start_platform
from tests.services.topics.subscriber import Subscriber

JAVASCRIPT = Path(__file__).parents[2] / "javascript"


@pytest.fixture
def reaching(tmp_path: Path) -> Iterator[PlatformProcess]:
    """A platform that may send requests to this machine."""
    server, running = start_platform(tmp_path / "data", "--outgoing-allow", "127.0.0.0/8")
    yield running
    server.terminate()
    assert server.wait(60) == 0


def test_a_published_verifier_accepts_what_a_subscriber_gets(
    reaching: PlatformProcess, subscriber: Subscriber, tmp_path: Path
) -> None:
    node = shutil.which("node")
    assert node, "node is missing; `make test` installs it into .venv/bin and puts that on the PATH"
    assert (JAVASCRIPT / "node_modules" / "sns-validator").is_dir(), "the verifier is missing; `make test` installs it"
    sns = reaching.client("sns")
    for number, version in enumerate(("1", "2"), start=1):
        topic = sns.create_topic(Name=f"t{version}", Attributes={"SignatureVersion": version})["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url)
        subscriber.wait_for("SubscriptionConfirmation", number)
        sns.publish(TopicArn=topic, Message="plain")
        sns.publish(TopicArn=topic, Message='quoted "text",\nlines, 日本語', Subject="a subject")
        subscriber.wait_for("Notification", 2 * number)
    messages = tmp_path / "messages.json"
    messages.write_text(json.dumps(subscriber.got))
    done = subprocess.run(
        [node, "--test", "topics.test.mjs"],
        cwd=JAVASCRIPT,
        env={"PATH": os.environ["PATH"], "TEST_MESSAGES": str(messages)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
