"""Writes the parts of the reference that the code itself knows: operations by service, commands and their options.

`python docs/generate.py` writes them; with `--check` it says which are out of date, and a test calls that.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mayfly.services.stacks.inert import classified
from mayfly.services.stacks.resources.base import UPDATE_POLICY
from mayfly.services.stacks.resources.registry import resource_types
from mayfly.services.stacks.resources.schema import Entries, Fields, Ignored, Items, Partly, Refused, Schema

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ROOT / "src" / "mayfly" / "services"
REFERENCE = ROOT / "docs" / "reference"
NAMES = {
    "functions": ("lambda", "AWS Lambda"),
    "functions/rollouts": ("codedeploy", "AWS CodeDeploy"),
    "objects": ("s3", "Amazon S3"),
    "tables": ("dynamodb", "Amazon DynamoDB"),
    "events": ("events", "Amazon EventBridge"),
    "topics": ("sns", "Amazon SNS"),
    "queues": ("sqs", "Amazon SQS"),
    "telemetry": ("logs", "Amazon CloudWatch Logs"),
    "metrics": ("cloudwatch", "Amazon CloudWatch"),
    "pipes": ("pipes", "Amazon EventBridge Pipes"),
    "autoscaling": ("application-autoscaling", "Application Auto Scaling"),
    "configs/parameters": ("ssm", "AWS Systems Manager Parameter Store"),
    "configs/secrets": ("secretsmanager", "AWS Secrets Manager"),
    "registries": ("ecr", "Amazon ECR"),
    "schedules": ("scheduler", "Amazon EventBridge Scheduler"),
    "stacks": ("cloudformation", "AWS CloudFormation"),
    "stacks/control": ("cloudcontrol", "AWS Cloud Control API"),
    "identity": ("iam", "AWS IAM"),
    "identity/sts": ("sts", "AWS STS"),
    "apis/http": ("apigatewayv2", "Amazon API Gateway, HTTP and WebSocket APIs"),
    "apis/rest": ("apigateway", "Amazon API Gateway, REST APIs"),
    "apis/websocket": ("apigatewaymanagementapi", "Amazon API Gateway, connections of WebSocket APIs"),
}
COMMANDS = (
    "up",
    "down",
    "status",
    "doctor",
    "env",
    "init",
    "deploy",
    "build",
    "dev",
    "debug",
    "rollout",
    "rollout begin",
    "rollout status",
    "rollout stop",
    "diff",
    "stacks",
    "open",
    "export",
    "destroy",
    "image",
    "image import",
    "image ls",
    "image rm",
    "webhook create",
    "webhook ls",
    "webhook rm",
    "events sample",
    "events token create",
    "events token ls",
    "events token rm",
    "events schemas",
    "invoke",
    "tasks submit",
    "tasks watch",
    "tasks ls",
    "tasks show",
    "tasks stop",
    "tasks redrive",
    "tasks share",
    "durable ls",
    "durable show",
    "durable stop",
    "durable pause",
    "durable resume",
    "durable rm",
    "durable answer",
    "logs",
    "function",
    "starts",
    "usage",
    "simulate",
    "version",
)


def operations_in(path: Path) -> list[str]:
    """Names given to `@operation(...)` in one module."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for decorator in getattr(node, "decorator_list", []):
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "operation":
                argument = decorator.args[0]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    found.append(argument.value)
    return found


def operation_modules() -> list[Path]:
    """Every module that may hold handlers."""
    return sorted(path for path in SERVICES.rglob("*.py") if "operations" in (path.parent.name, path.stem))


def service_of(path: Path) -> str:
    """The key of `NAMES` under which a module's operations are: the longest that names it."""
    place = path.relative_to(SERVICES)
    inside = [f"{place.parts[0]}/{part}" for part in (*place.parts[1:-1], place.stem)]
    return next((key for key in inside if key in NAMES), place.parts[0])


def operations() -> str:
    """The page of operations."""
    lines = [
        "# Operations",
        "",
        "What each service answers. Any other operation of any AWS service that botocore knows is refused with an",
        "error that names it, in that service's own wire format (`NotImplemented`, status 501).",
        "",
        "This page is generated.",
        "",
    ]
    for folder, (name, title) in NAMES.items():
        chosen = [path for path in operation_modules() if service_of(path) == folder]
        names = sorted(name for path in chosen for name in operations_in(path))
        lines += [f"## {title} (`{name}`): {len(names)}", "", ", ".join(f"`{name}`" for name in names) + ".", ""]
    return "\n".join(lines)


def resource_types_page() -> str:
    """The page of resource types."""
    lines = [
        "# Resource types",
        "",
        "What a template may contain. Any other type is refused before anything is made, [with the",
        "reason](#types-that-are-refused); so is a property that is not listed here, and what is said to be refused:",
        "all of it in one answer. SAM types (`AWS::Serverless::*`) become these. This page is generated.",
        "",
    ]
    for name, kind in sorted(resource_types().items()):
        refused = sorted(_marked(kind.schema, Refused))
        ignored = sorted(_marked(kind.schema, Ignored))
        partly = sorted(_partly(kind.schema))
        without = {UPDATE_POLICY, *(path for path, _ in refused)}
        properties = [member for member in kind.schema.members if member not in without]
        lines += [f"## {name}", "", f"Properties: {_words(properties)}.", ""]
        for path, why in refused:
            lines += [f"`{path}` is refused. {why}", ""]
        for path, pattern, why in partly:
            lines += [f"`{path}`: `{pattern}` is refused. {why}", ""]
        for path, why in ignored:
            lines += [f"`{path}` has no effect. {why}", ""]
        if UPDATE_POLICY in kind.schema.members:
            policies = kind.schema.members[UPDATE_POLICY]
            assert isinstance(policies, Fields), "policies have names"
            lines += [f"`UpdatePolicy`: {_words(policies.members)}.", ""]
        lines += [f"A change of {_words(kind.replaced_by)} makes a new resource.", ""] if kind.replaced_by else []
        lines += [f"`Fn::GetAtt`: {_words(kind.attributes)}.", ""] if kind.attributes else []
    return "\n".join([*lines, *_refused()])


def _refused() -> Iterable[str]:
    yield from ("## Types that are refused", "")
    yield from (
        "These only mean something inside AWS: whole services, and types of services that Mayfly has. A template with",
        "one of them is refused, unless the stack accepts it as *inert*: the stack's tag `mayfly:inert` names the",
        "type, the service (`AWS::EC2`) or `all` of these, apart by blanks or commas. `mayfly deploy --accept-inert`",
        "sets that tag; `mayfly up --accept-inert` is for all stacks. Then nothing is made: `Ref` and `Fn::GetAtt`",
        "answer values that are made up, have the right form, never change and lead nowhere, and the resource's",
        "events, `DescribeStackResources` and `mayfly deploy` say so. Any other type that is not on this page is",
        "inert only where its full name is given. A word that names nothing, in the template or otherwise, is an error",
        "that says what is near. `AWS::CDK::Metadata` is always accepted.",
        "",
        "| | What it is in AWS |",
        "| --- | --- |",
    )
    for name, why in classified():
        yield f"| `{name}` | {why} |"
    yield ""


def _marked(schema: Schema, mark: type[Refused] | type[Ignored], path: str = "") -> set[tuple[str, str]]:
    """Where in a schema properties are refused or ignored, and why."""
    if isinstance(schema, mark):
        return {(path, schema.why)}
    if isinstance(schema, Items | Entries):
        return _marked(schema.of, mark, path)
    if not isinstance(schema, Fields):
        return set()
    inside = [_marked(member, mark, f"{path}.{name}" if path else name) for name, member in schema.members.items()]
    return set().union(*inside)


def _partly(schema: Schema, path: str = "") -> set[tuple[str, str, str]]:
    """Where in a schema values are refused, which, and why."""
    if isinstance(schema, Partly):
        return {(path, pattern, why) for pattern, why in schema.refused.items()}
    if isinstance(schema, Items | Entries):
        return _partly(schema.of, path)
    if not isinstance(schema, Fields):
        return set()
    inside = [_partly(member, f"{path}.{name}" if path else name) for name, member in schema.members.items()]
    return set().union(*inside)


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def commands() -> str:
    """The page of the command line."""
    lines = ["# Command line", "", "What `--help` says. This page is generated.", ""]
    named = ["", *COMMANDS]
    with ThreadPoolExecutor(os.cpu_count()) as several:
        for name, text in zip(named, several.map(_help, named), strict=True):
            lines += [f"## mayfly {name}".rstrip(), "", "```text", text, "```", ""]
    return "\n".join(lines)


def _help(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mayfly", *command.split(), "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"},
    )
    text = "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())
    return text.replace("python -m mayfly", "mayfly")


def main() -> int:
    """Write or check the pages; the exit status."""
    stale = []
    pages = {"operations": operations, "resource-types": resource_types_page, "command-line": commands}
    for name, page in pages.items():
        text = page()
        path = REFERENCE / f"{name}.md"
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run `make docs`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
