"""`examples/ci`: a signed push is built in a sandbox, and its report is shown; what fails says why."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PlatformProcess

from .application import EXAMPLES, deployed, environment, fetch, mayfly, told

PASSING = 'steps:\n  - python3 -m unittest -q test_sums\n  - test -z "$AWS_SECRET_ACCESS_KEY"\n'
CHECK = """import unittest

class Sums(unittest.TestCase):
    def test_one_and_one(self):
        self.assertEqual(1 + 1, RESULT)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(folder: Path, result: int) -> str:
    (folder / ".ci.yaml").write_text(PASSING)
    (folder / "test_sums.py").write_text(CHECK.replace("RESULT", str(result)))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"one and one are {result}")
    return git(folder, "rev-parse", "HEAD")


def push(url: str, secret: str, commit: str, repository: str) -> int:
    """Send what GitHub sends; the status of the answer."""
    body = json.dumps({"ref": "refs/heads/main", "after": commit, "repository": {"clone_url": repository}}).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": signature, "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as reply:
            status: int = reply.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status


def built(platform: PlatformProcess) -> None:
    """Have the runner take one push."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / "ci" / "runner.py", "--stack", "ci-example", "--once"],
        env=environment(platform),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="sandboxes with limits need root")
def test_pushes_are_built_in_sandboxes_and_reported(platform: PlatformProcess, repository: Path) -> None:
    with deployed(platform, "ci", "ci-example") as outputs:
        hook = told(platform, "webhook", "create", "ci-example", "--source", "webhook.github")
        try:
            good, bad = committed(repository, 2), committed(repository, 3)
            where = repository.as_uri()
            assert push(hook["url"], "wrong", good, where) == 401
            assert push(hook["url"], hook["secret"], good, where) == 202
            built(platform)
            assert push(hook["url"], hook["secret"], bad, where) == 202
            built(platform)
            assert push(hook["url"], hook["secret"], "f" * 40, where) == 202
            built(platform)
            builds: list[dict[str, Any]] = json.loads(fetch(f"{outputs['Url']}builds.json"))
            missing, failed, passed = builds
            assert (passed["commit"], passed["passed"], passed["summary"]) == (good, True, "2 steps passed")
            assert (failed["commit"], failed["passed"]) == (bad, False)
            assert failed["summary"] == "a step ended with 1"
            assert "git fetch" in missing["summary"]
            log = fetch(f"{outputs['Url']}{failed['id']}").decode()
            assert "$ python3 -m unittest" in log
            assert "AssertionError: 2 != 3" in log
            assert good[:12] in fetch(outputs["Url"]).decode()
        finally:
            mayfly(platform, "webhook", "rm", "ci-example")
