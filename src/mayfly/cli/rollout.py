"""`mayfly rollout`: an alias's calls shifted to a new version by steps, watched, and taken back by themselves.

All of it goes through CodeDeploy's API, under the application `mayfly` and a deployment group an alias; so what was
begun here shows in any tool, and the other way round.
"""

import contextlib
import json
import time
from typing import Annotated, Any

import typer
from rich.table import Table
from typer.core import TyperGroup

from mayfly.cli.connection import Connection, connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import console, escape, fail, failures_in_one_line, print_json, print_table
from mayfly.cli.rollout_progress import UNDER_WAY, RolloutProgress, told
from mayfly.cli.spans import parse_span

APPLICATION = "mayfly"
_RETURNS = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
_TAKEN_BACK = 2


class _BeginByDefault(TyperGroup):
    """`mayfly rollout FUNCTION` is `mayfly rollout begin FUNCTION`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            args = ["begin", *args]
        return super().parse_args(ctx, args)


rollout = typer.Typer(
    cls=_BeginByDefault,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    help="Shift the calls of an alias to a new version by steps, watch it, take them back if it does badly.\n\n"
    "[bold]mayfly rollout FUNCTION --canary 10%/5m --alarm NAME[/] begins one and shows how it goes.",
)


@rollout.command()
def begin(
    function: Annotated[str, typer.Argument(help="Name of the function.")],
    canary: Annotated[str | None, typer.Option(help="First this part, all after that time: 10%/5m.")] = None,
    linear: Annotated[str | None, typer.Option(help="This part more every so often: 10%/1m.")] = None,
    all_at_once: Annotated[bool, typer.Option("--all-at-once", help="All calls at once, and watched.")] = False,
    alias: Annotated[str, typer.Option(help="The alias whose calls are shifted.")] = "live",
    to: Annotated[str | None, typer.Option(help="The version; by default the function is published as it is.")] = None,
    alarm: Annotated[
        list[str] | None, typer.Option(help="An alarm that takes the calls back; may be given ten times.")
    ] = None,
    max_errors: Annotated[
        str | None, typer.Option(help="Failed calls of the new version that are tolerated: 1%.")
    ] = None,
    max_latency: Annotated[
        str | None, typer.Option(help="The 95th percentile of its durations that is tolerated: 250ms, 2s.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(help="A hook function that is asked before any call is shifted.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="A hook function that is asked when all calls are shifted.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Begin, and do not wait for the end.")] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Begin a rollout. Exit status 2 when the calls were taken back."""
    own = _own(canary, linear, all_at_once=all_at_once)
    if max_errors is not None:
        own["MaxErrors"] = max_errors
    if max_latency is not None:
        own["MaxLatencyMs"] = _milliseconds(max_latency)
    with failures_in_one_line():
        connection = connect(data)
        functions = connection.client("lambda")
        version = to or _published(functions, function)
        current = _current(functions, function, alias, version)
        if current is None:
            _say(f"{function}:{alias} is new, and leads to version {version}.", json_output)
            return
        hooks = [{"BeforeAllowTraffic": before}] * bool(before) + [{"AfterAllowTraffic": after}] * bool(after)
        target = {"Name": function, "Alias": alias, "CurrentVersion": current, "TargetVersion": version}
        deployment = _begin(connection, f"{function}-{alias}", target, hooks, own, alarm or [])
        if detach:
            _say(f"Rollout {deployment} of {function}:{alias} to version {version} has begun.", json_output)
            return
        info = _followed(connection, deployment, quiet=json_output)
    _end(info, json_output)


@rollout.command()
def status(
    what: Annotated[str | None, typer.Argument(help="A function or the id of a rollout; all unless given.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show the newest until it ends.")] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show rollouts, the newest first, begun here or by templates."""
    with failures_in_one_line():
        connection = connect(data)
        found = _rollouts(connection, what)
        if follow and found:
            _end(_followed(connection, found[0]["deploymentId"], quiet=json_output), json_output)
            return
    if json_output:
        print_json(found)
        return
    if not found:
        console.print("There are no rollouts." if what is None else f"There are no rollouts of {escape(what)}.")
        return
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for title in ("Rollout", "Alias", "Versions", "Status", "Calls"):
        table.add_column(title)
    for info in found:
        target = info["target"]["lambdaFunctionInfo"]
        versions = f"{target['currentVersion']} → {target['targetVersion']}"
        named = f"{target['functionName']}:{target['functionAlias']}"
        table.add_row(info["deploymentId"], escape(named), versions, info["status"], escape(told(info)))
    print_table(table)


@rollout.command()
def stop(
    what: Annotated[str, typer.Argument(help="A function, or the id of a rollout.")],
    keep: Annotated[bool, typer.Option("--keep", help="Leave the calls shared as they are.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """End a rollout that is under way; the calls are taken back."""
    with failures_in_one_line():
        connection = connect(data)
        found = [info for info in _rollouts(connection, what) if info["status"] in UNDER_WAY]
        if not found:
            fail(f"no rollout of {what} is under way")
        deploy = connection.client("codedeploy")
        for info in found:
            deploy.stop_deployment(deploymentId=info["deploymentId"], autoRollbackEnabled=not keep)
            ended = _followed(connection, info["deploymentId"], quiet=True)
            console.print(f"{info['deploymentId']}: {ended['status']}. {escape(told(ended))}")


def _own(canary: str | None, linear: str | None, *, all_at_once: bool) -> dict[str, Any]:
    """The section Mayfly of the AppSpec, with the shape alone."""
    if sum((canary is not None, linear is not None, all_at_once)) != 1:
        fail("how? give one of --canary 10%/5m, --linear 10%/1m and --all-at-once", 2)
    if all_at_once:
        return {"Shift": {"Kind": "all-at-once"}}
    kind, text = ("canary", canary) if canary is not None else ("linear", linear)
    assert text is not None, "one of them was given"
    part, slash, span = text.partition("/")
    try:
        if not slash or not part.endswith("%"):
            raise ValueError(f"{text!r} is not a part and a time")
        return {"Shift": {"Kind": kind, "Percent": float(part[:-1]), "EverySeconds": parse_span(span)}}
    except ValueError as error:
        fail(f"--{kind} wants a part of the calls and a time, such as 10%/5m: {error}", 2)


def _milliseconds(text: str) -> float:
    try:
        return float(text[:-2]) if text.endswith("ms") else parse_span(text) * 1000
    except ValueError as error:
        fail(f"--max-latency wants a span such as 250ms or 2s: {error}", 2)


def _published(functions: Any, function: str) -> str:
    """The version that the function is as it stands, ready to be called."""
    functions.get_function_configuration(FunctionName=function)  # a waiter's words about one that is absent are long
    functions.get_waiter("function_updated_v2").wait(FunctionName=function)
    version = str(functions.publish_version(FunctionName=function)["Version"])
    functions.get_waiter("published_version_active").wait(FunctionName=function, Qualifier=version)
    return version


def _current(functions: Any, function: str, alias: str, version: str) -> str | None:
    """The version that the alias leads to; None: it was made just now."""
    try:
        return str(functions.get_alias(FunctionName=function, Name=alias)["FunctionVersion"])
    except functions.exceptions.ResourceNotFoundException:
        functions.create_alias(FunctionName=function, Name=alias, FunctionVersion=version)
        return None


def _begin(
    connection: Connection, group: str, target: dict[str, str], hooks: list[Any], own: dict[str, Any], alarms: list[str]
) -> str:
    deploy = connection.client("codedeploy")
    with contextlib.suppress(deploy.exceptions.ApplicationAlreadyExistsException):
        deploy.create_application(applicationName=APPLICATION, computePlatform="Lambda")
    place = {"applicationName": APPLICATION, "deploymentGroupName": group}
    account = connection.account or connection.client("sts").get_caller_identity()["Account"]
    with contextlib.suppress(deploy.exceptions.DeploymentGroupAlreadyExistsException):
        deploy.create_deployment_group(**place, serviceRoleArn=f"arn:aws:iam::{account}:role/{APPLICATION}")
    resource = {"Type": "AWS::Lambda::Function", "Properties": target}
    content = {"version": 0.0, "Resources": [{target["Name"]: resource}], "Hooks": hooks, "Mayfly": own}
    made = deploy.create_deployment(
        **place,
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}},
        autoRollbackConfiguration={"enabled": True, "events": _RETURNS},
        overrideAlarmConfiguration={"enabled": bool(alarms), "alarms": [{"name": name} for name in alarms]},
    )
    return str(made["deploymentId"])


def _followed(connection: Connection, deployment: str, *, quiet: bool) -> dict[str, Any]:
    """How a rollout ended, shown while it goes on."""
    return RolloutProgress(console, connection.client("codedeploy"), deployment, time.sleep).follow(quiet=quiet)


def _rollouts(connection: Connection, what: str | None) -> list[dict[str, Any]]:
    """What GetDeployment tells of the rollouts of a function, or of one, each with its target."""
    deploy = connection.client("codedeploy")
    one = what is not None and what.startswith("d-")
    ids = [what] if one else deploy.list_deployments().get("deployments", [])
    found = []
    for deployment in ids:
        info = deploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        names = deploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
        target = deploy.get_deployment_target(deploymentId=deployment, targetId=names[0])["deploymentTarget"]
        info["target"] = target["lambdaTarget"]
        if one or what in (None, names[0], names[0].partition(":")[0]):
            found.append(info)
    return found


def _say(text: str, json_output: bool) -> None:
    if json_output:
        print_json({"message": text})
    else:
        console.print(escape(text))


def _end(info: dict[str, Any], json_output: bool) -> None:
    """The last word, and the exit status."""
    if json_output:
        print_json(info)
    if info["status"] == "Succeeded":
        return
    because = info.get("errorInformation", {}).get("message", "")
    back = " The calls go to the old version again." if "rollbackInfo" in info else ""
    fail(f"{info['deploymentId']} {info['status'].lower()}: {because}{back}", _TAKEN_BACK)
