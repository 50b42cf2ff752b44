"""Takes pushes out of the queue, runs each commit's steps in a sandbox, and writes reports.

It runs beside the platform, as whoever owns that: sandboxes are for the account's root key. Several may run at once; a
push whose runner dies comes back to the queue.

    python examples/ci/runner.py --stack ci [--once]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import yaml

STEPS = ".ci.yaml"
TIMEOUT_S = 600
SCHEMES = ("https", "file")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stack", default="ci")
    parser.add_argument("--once", action="store_true", help="end when a push was built")
    options = parser.parse_args()
    described = boto3.client("cloudformation").describe_stacks(StackName=options.stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    sqs, s3 = boto3.client("sqs"), boto3.client("s3")
    while True:
        received = sqs.receive_message(QueueUrl=outputs["Queue"], WaitTimeSeconds=20)
        for message in received.get("Messages", []):
            push = json.loads(message["Body"])["detail"]
            # The name of the message is that of the build: one that is built twice has one report.
            report, log = build(message["MessageId"], push)
            s3.put_object(Bucket=outputs["Reports"], Key=f"logs/{report['id']}.txt", Body=log.encode())
            s3.put_object(Bucket=outputs["Reports"], Key=f"builds/{report['id']}.json", Body=json.dumps(report))
            sqs.delete_message(QueueUrl=outputs["Queue"], ReceiptHandle=message["ReceiptHandle"])
            print(report["id"], "passed" if report["passed"] else "failed", report["summary"], flush=True)
            if options.once:
                return 0


def build(name: str, push: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Check a commit out and run its steps; the report, and the log."""
    started = time.time()
    commit, url = push["after"], push["repository"]["clone_url"]
    with tempfile.TemporaryDirectory(prefix="ci-") as directory:
        folder = Path(directory) / "source"
        passed, summary, log = False, "", ""
        try:
            check_out(url, commit, folder)
            passed, summary, log = run(steps(folder), folder)
        except BuildError as error:
            summary = log = str(error)
    report = {
        "id": name,
        "commit": commit,
        "repository": push["repository"].get("full_name", url),
        "started": datetime.fromtimestamp(started, UTC).isoformat(),
        "seconds": round(time.time() - started, 3),
        "passed": passed,
        "summary": summary,
    }
    return report, log


class BuildError(Exception):
    """The commit cannot be built; the message says why."""


def check_out(url: str, commit: str, folder: Path) -> None:
    """The files of one commit, without its history."""
    if urlsplit(url).scheme not in SCHEMES or not all(letter in "0123456789abcdef" for letter in commit):
        raise BuildError(f"cannot check out {commit} of {url}")
    folder.mkdir()
    for command in (
        ["git", "init", "-q"],
        ["git", "fetch", "-q", "--depth", "1", url, commit],
        ["git", "-c", "advice.detachedHead=false", "checkout", "-q", "FETCH_HEAD"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        if done.returncode != 0:
            raise BuildError(f"{' '.join(command)}: {done.stderr.strip()}")


def steps(folder: Path) -> list[str]:
    """The commands that the repository wants run."""
    try:
        said = yaml.safe_load((folder / STEPS).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeError) as error:
        raise BuildError(f"cannot read {STEPS}: {error}") from error
    commands = said.get("steps") if isinstance(said, dict) else None
    if not isinstance(commands, list) or not all(isinstance(command, str) for command in commands):
        raise BuildError(f"{STEPS} has no list of steps")
    return commands


def run(commands: list[str], folder: Path) -> tuple[bool, str, str]:
    """Run commands one after the other in a sandbox of their own; whether all passed, in words, and what they said.

    The sandbox has the commit's files, no credentials and no network but loopback; it ends with the last command.
    """
    script = "set -e\n" + "".join(f"echo '$ '{quoted(command)}\n{command}\n" for command in commands)
    limits = ["--memory", "1024", "--timeout", str(TIMEOUT_S)]
    done = subprocess.run(
        [sys.executable, "-m", "mayfly", "sandbox", "run", "--code", str(folder), *limits, "--", "sh", "-c", script],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    log = done.stdout + done.stderr
    if done.returncode == 0:
        return True, f"{len(commands)} steps passed", log
    return False, f"a step ended with {done.returncode}", log


def quoted(text: str) -> str:
    """A text as the shell takes it for one word."""
    return "'" + text.replace("'", "'\\''") + "'"


if __name__ == "__main__":
    sys.exit(main())
