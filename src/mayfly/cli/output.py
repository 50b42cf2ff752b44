"""How the command line speaks: people get rich text, programs get JSON, failures get one line on standard error."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from rich.console import Console
from rich.table import Table

from mayfly.cli import near
from mayfly.cli.connection import connect
from mayfly.errors import MayflyError

console = Console(highlight=False, emoji=False, soft_wrap=True)
complaints = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

_WIDER_THAN_ANY_TABLE = 10_000


def print_table(table: Table) -> None:
    """A table: fitted to a terminal, but whole for files and other programs, which want no id broken in two."""
    if console.is_terminal:
        console.print(table)
        return
    drawn = io.StringIO()
    Console(file=drawn, highlight=False, emoji=False, soft_wrap=True, width=_WIDER_THAN_ANY_TABLE).print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines()))


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def fail(message: str, code: int = 1) -> NoReturn:
    """End with `message` on standard error and exit status `code`."""
    complain(message)
    raise typer.Exit(code)


def complain(message: str) -> None:
    """What went wrong, on standard error."""
    complaints.print(f"[bold red]mayfly:[/] {escape(message)}")


def readable(text: str) -> str:
    """Log text with the carriage returns by which multi-line messages stay one event turned into lines again."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip()


def escape(text: str) -> str:
    """`text` with nothing in it that rich takes for markup."""
    return text.replace("[", r"\[")


@contextmanager
def failures_in_one_line(data: Path | None = None) -> Iterator[None]:
    """Turn what the platform or the SDK raises on purpose into `fail`. Of a function that is not there, those that are
    called almost so are told, where `data` says which platform was asked."""
    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        reason = error.response.get("Reason")
        more = f" ({reason})" if reason else ""
        message = f"{details.get('Code', 'Error')}: {details.get('Message', str(error))}{more}"
        fail(message + _meant(data, message))
    except EndpointConnectionError as error:
        fail(f"nothing answers at {error.kwargs.get('endpoint_url')}; is the platform still running?")
    except (MayflyError, BotoCoreError) as error:
        fail(str(error) + _meant(data, str(error)))


def _meant(data: Path | None, message: str) -> str:
    if data is None or not near.names_no_function(message):
        return ""
    return near.function_hint(connect(data), message)


def megabytes(count: int) -> str:
    """A number of bytes for people: `12.3 MB`, `4 kB`."""
    if count >= 1_000_000:
        return f"{count / 1_000_000:.1f} MB"
    return f"{max(count // 1000, 1)} kB" if count else "0 kB"


def counted(count: int, noun: str) -> str:
    """`1 day`, `2 days`, `1,000 days`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
