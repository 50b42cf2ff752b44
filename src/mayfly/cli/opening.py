"""`mayfly open`: the addresses at which applications answer, and the browser on one of them."""

import re
import webbrowser
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import typer
from rich.table import Table

from mayfly.cli.connection import Connection, connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, escape, fail, failures_in_one_line, print_json, print_table
from mayfly.cli.stacks import GONE, described, resources_of

_API_URL = re.compile(r"(https|wss)://([a-z0-9]{10})\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?=[/:?]|$)")
_QUEUE_PATH = re.compile(r"/\d{12}/[A-Za-z0-9_-]+(\.fifo)?")
_FUNCTION_URL, _HTTP_API, _REST_API = "AWS::Lambda::Url", "AWS::ApiGatewayV2::Api", "AWS::ApiGateway::RestApi"


class Address(NamedTuple):
    """Where something answers."""

    stack: str
    what: str  # the logical id of the resource, or the key of the output
    url: str


def open(  # noqa: A001 - the command's name
    name: Annotated[
        str | None, typer.Argument(metavar="[STACK]", help="Those of one stack; by default of all.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser", "-b", help="Open the first in a browser.")] = False,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Show where applications answer: function URLs, HTTP, REST and WebSocket APIs, and what their outputs name."""
    with failures_in_one_line():
        connection = connect(data)
        found = list(addresses(connection, name))
    if json_output:
        print_json([one._asdict() for one in found])
    elif found:
        print_table(_table(found))
    else:
        where = f"stack {name} has" if name else "there are"
        complaints.print(f"{where} no function URLs, no APIs, and no outputs that are URLs")
    if browser:
        _browse(found)


def addresses(connection: Connection, name: str | None) -> Iterator[Address]:
    """What answers in a stack, or in all of them; a URL that several name once."""
    client = connection.client("cloudformation")
    if name is not None:
        found = [described(client, name)]
    else:
        pages = client.get_paginator("describe_stacks").paginate()
        found = [stack for page in pages for stack in page["Stacks"] if stack["StackStatus"] != GONE]
    seen: set[str] = set()
    for stack in found:
        for address in (*_outputs(connection, stack), *_resources(connection, client, stack)):
            key = address.url.rstrip("/")
            if key not in seen:
                seen.add(key)
                yield address


def reachable(connection: Connection, url: str) -> str:
    """A URL as it is reached from here: the names that APIs have on AWS lead to them only inside the platform."""
    match = _API_URL.match(url)
    if match is None:
        return url
    here = urlsplit(connection.url)
    scheme = {"wss": "ws", "https": "http"}[match[1]] if here.scheme == "http" else match[1]
    return f"{scheme}://{here.netloc}/_mayfly/api/{match[2]}{url[match.end() :]}"


def _outputs(connection: Connection, stack: dict[str, Any]) -> Iterator[Address]:
    for output in stack.get("Outputs", ()):
        parts = urlsplit(output["OutputValue"])
        is_queue = parts.netloc == urlsplit(connection.url).netloc and _QUEUE_PATH.fullmatch(parts.path)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc and not is_queue:
            yield Address(stack["StackName"], output["OutputKey"], reachable(connection, output["OutputValue"]))


def _resources(connection: Connection, client: Any, stack: dict[str, Any]) -> Iterator[Address]:
    name = stack["StackName"]
    for one in resources_of(client, stack["StackId"]):
        physical, logical = one.get("PhysicalResourceId", ""), one["LogicalResourceId"]
        if not physical or one["ResourceStatus"].startswith("DELETE"):
            continue
        if one["ResourceType"] == _FUNCTION_URL:
            configuration = connection.client("lambda").get_function_url_config(FunctionName=physical)
            yield Address(name, logical, configuration["FunctionUrl"])
        elif one["ResourceType"] == _HTTP_API:
            yield from (Address(name, logical, url) for url in _stages(connection.client("apigatewayv2"), physical))
        elif one["ResourceType"] == _REST_API:
            for stage in connection.client("apigateway").get_stages(restApiId=physical)["item"]:
                yield Address(name, logical, f"{connection.url}/_mayfly/api/{physical}/{stage['stageName']}")


def _stages(apis: Any, api_id: str) -> Iterator[str]:
    """The URLs of an HTTP API or a WebSocket API, one a stage."""
    endpoint = apis.get_api(ApiId=api_id)["ApiEndpoint"]
    for stage in apis.get_stages(ApiId=api_id)["Items"]:
        yield endpoint if stage["StageName"] == "$default" else f"{endpoint}/{stage['StageName']}"


def _table(found: list[Address]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Stack", "What", "URL"):
        table.add_column(title, overflow="fold")
    for one in found:
        table.add_row(escape(one.stack), escape(one.what), escape(one.url))
    return table


def _browse(found: list[Address]) -> None:
    page = next((one.url for one in found if one.url.startswith("http")), None)
    if page is None:
        fail("there is nothing that a browser shows")
    if not webbrowser.open(page):
        fail(f"no browser could be started; open {page} yourself")
