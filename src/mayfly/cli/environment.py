"""`mayfly env`: how AWS tools reach the platform."""

import configparser
import os
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from mayfly.cli.connection import Connection, connect
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption, JsonOption
from mayfly.cli.output import complaints, fail, failures_in_one_line, print_json

_PRELOAD = Path(__file__).with_name("serverless.cjs")


def env(
    data: DataOption = DEFAULT_DATA,
    profile: Annotated[
        str | None, typer.Option(help="Write an AWS profile of this name instead, for `aws --profile NAME`.")
    ] = None,
    serverless: Annotated[
        bool, typer.Option("--serverless", help="Print also what the Serverless Framework 3 needs.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Print exports that point AWS tools at the platform: [bold]eval $(mayfly env)[/]."""
    if profile is not None and re.fullmatch(r"[A-Za-z0-9_.-]+", profile) is None:
        fail(f"a profile's name has letters, digits, _, . and - only, not {profile!r}", 2)
    with failures_in_one_line():
        variables = variables_of(connect(data))
    if serverless:
        variables["NODE_OPTIONS"] = with_preload(os.environ.get("NODE_OPTIONS", ""))
    if profile:
        for path in write_profile(profile, variables):
            complaints.print(f"wrote profile {profile} to {path}")
    elif json_output:
        print_json(variables)
    else:
        for name, value in variables.items():
            typer.echo(f"export {name}={shlex.quote(value)}")


def variables_of(connection: Connection) -> dict[str, str]:
    """What the AWS CLI and every SDK read."""
    return {
        "AWS_ENDPOINT_URL": connection.url,
        "AWS_ACCESS_KEY_ID": connection.access_key_id,
        "AWS_SECRET_ACCESS_KEY": connection.secret_access_key,
        "AWS_DEFAULT_REGION": connection.region,
        "AWS_REGION": connection.region,
    }


def with_preload(options: str) -> str:
    """Options of Node.js that load what points the Serverless Framework at the platform, once."""
    wanted = f'--require="{_PRELOAD}"'
    return options if wanted in options else f"{options} {wanted}".strip()


def write_profile(name: str, variables: dict[str, str]) -> list[Path]:
    """Put the profile into AWS's two files, leaving other profiles alone; the files."""
    home = Path.home() / ".aws"
    config = Path(os.environ.get("AWS_CONFIG_FILE", home / "config"))
    credentials = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", home / "credentials"))
    section = name if name == "default" else f"profile {name}"
    _set(config, section, {"region": variables["AWS_REGION"], "endpoint_url": variables["AWS_ENDPOINT_URL"]})
    keys = {
        "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
    }
    _set(credentials, name, keys)
    return [config, credentials]


def _set(path: Path, section: str, values: dict[str, str]) -> None:
    parser = configparser.RawConfigParser()
    parser.read(path)
    if not parser.has_section(section):
        parser.add_section(section)
    for key, value in values.items():
        parser.set(section, key, value)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.tmp")
    with open(draft, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        parser.write(file)
    draft.replace(path)
