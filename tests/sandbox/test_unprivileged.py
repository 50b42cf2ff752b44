"""The namespace level of a server that was not started by root: the same suites, run by a user who is nobody special.

They run in a mount namespace in which anybody may get to interpreter, packages and checkout, whatever the rights of the
directories that they are in otherwise.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mayfly.sandbox import interpreters

pytestmark = pytest.mark.root

UID = 54_321
REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 200.0
# What only root's sandboxes have: limits of memory, user ids of their own, and code that the user may not read.
ONLY_AS_ROOT = "memory or forked_twice or nobody_may_read"
# Arguments: directories to cover, "--", directories that stay in sight at their paths, "--", the command.
ENTER = """
set -e
stash=$(mktemp -d "$1/stash.XXXX"); user=$2; shift 2
covers=""
while [ "$1" != -- ]; do covers="$covers $1"; shift; done
shift
shown=""; number=0
while [ "$1" != -- ]; do
    number=$((number + 1)); mkdir "$stash/$number"; mount --bind "$1" "$stash/$number"; shown="$shown $1"; shift
done
shift
for cover in $covers; do mount -t tmpfs -o mode=755 cover "$cover"; done
number=0
for path in $shown; do
    number=$((number + 1))
    if [ ! -e "$path/." ] || [ -z "$(ls -A "$path")" ]; then mkdir -p "$path"; mount --bind "$stash/$number" "$path"; fi
done
exec setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that anybody may pass through, as pytest's own are not."""
    directory = Path(tempfile.mkdtemp(prefix="mayfly-unprivileged-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def closed_above(path: Path) -> str | None:
    """The first directory on the way to `path` that not anybody may pass through."""
    for directory in reversed(path.parents):
        if not directory.stat().st_mode & stat.S_IXOTH:
            return str(directory)
    return None


def run_unprivileged(place: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python, with this checkout's Mayfly, as `UID`."""
    home = place / "home"
    home.mkdir()
    os.chown(home, UID, UID)
    shown = [path.resolve() for path in (REPOSITORY, Path(sys.prefix), interpreters.current().prefix)]
    covered = sorted({directory for path in shown if (directory := closed_above(path)) is not None})
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", str(place), str(UID)]
    return subprocess.run(
        [*enter, *covered, "--", *map(str, shown), "--", sys.executable, *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_the_suites_of_the_level_pass_for_a_user_who_is_not_root(place: Path) -> None:
    suites = [str(REPOSITORY / "tests/sandbox" / name) for name in ("test_contract.py", "test_hostile.py")]
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", str(place / "home/t")]
    wanted = f"(namespace or hostile) and not ({ONLY_AS_ROOT})"
    done = run_unprivileged(place, "-m", "pytest", *options, "-k", wanted, *suites)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, done.stdout
    assert int(passed[1]) >= 60
    assert "skipped" not in done.stdout.splitlines()[-1], done.stdout


def test_the_doctor_says_what_is_lost_and_what_helps(place: Path) -> None:
    done = run_unprivileged(place, "-m", "mayfly", "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["isolation"][0] == "namespace"
    facts = {fact["name"]: fact for fact in told["facts"]}
    assert facts["user namespaces"]["available"]
    assert "all instances share" in facts["privileges"]["detail"]
    assert "limits of memory" in facts["control groups"]["detail"]
    assert "Delegate=yes" in facts["control groups"]["cure"]


LAYERS = """
import asyncio, os, sys
from pathlib import Path
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxSpec, TemplateRefusedError
from mayfly.sandbox.namespace import AgentFactory

async def main(directory):
    factory = AgentFactory.launch(directory / "agent")
    await factory.attach()
    await factory.prepare("p", interpreters.current())
    code = directory / "code"
    code.mkdir()
    sandbox = await factory.start(SandboxSpec("p", code))
    print(*sandbox.layers, sep="\\n")
    print(f"{sandbox.peak_memory() > 1 << 20} {sandbox.freeze()}")
    try:
        await factory.prepare_packages("key", SandboxSpec("p", code), [], {})
    except TemplateRefusedError as error:
        print(error)
    sandbox.control.close(); os.close(sandbox.output); sandbox.endpoint.close()
    await sandbox.discard()
    await factory.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_what_is_lost_without_root_is_said(place: Path) -> None:
    done = run_unprivileged(place, "-c", LAYERS, str(place / "home"))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "user namespace of its own" in lines
    assert "unprivileged user" in lines
    assert "memory and processes limited by resource limits alone" in lines
    assert "True False" in lines  # the peak is that of its first process; nothing freezes
    assert lines[-1] == "a template needs user ids of its own: start Mayfly as root"
    assert sys.platform == "linux"


PLATFORM = """
import io, json, subprocess, sys, zipfile
from pathlib import Path
import boto3

data = Path(sys.argv[1]) / "data"
mayfly = [sys.executable, "-m", "mayfly"]
subprocess.run([*mayfly, "up", "--detach", "--port", "0", "--data", str(data)], check=True)
try:
    info = json.loads((data / "server.json").read_text())
    key = json.loads((data / "root-key.json").read_text())
    keys = {f"aws_{name}": key[name] for name in ("access_key_id", "secret_access_key")}
    session = boto3.session.Session(region_name=info["region"], **keys)
    policy = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    iam, functions = (session.client(name, endpoint_url=info["url"]) for name in ("iam", "lambda"))
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "import os\\ndef handler(event, context): return [os.getpid(), os.listdir('/tmp')]")
    code = {"ZipFile": package.getvalue()}
    runtime = f"python3.{sys.version_info[1]}"
    functions.create_function(FunctionName="f", Runtime=runtime, Handler="app.handler", Role=role, Code=code)
    print("answer", functions.invoke(FunctionName="f")["Payload"].read().decode())
    shown = subprocess.run([*mayfly, "function", "f", "--data", str(data)], capture_output=True, text=True, check=True)
    print(shown.stdout)
finally:
    subprocess.run([*mayfly, "down", "--data", str(data)], check=True)
"""


def test_a_platform_that_is_not_roots_isolates_functions_and_shows_how(place: Path) -> None:
    done = run_unprivileged(place, "-c", PLATFORM, str(place / "home"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answer [1, []]" in done.stdout
    assert "Isolation    namespace" in done.stdout
    assert "control group: none: each process by itself" in done.stdout
