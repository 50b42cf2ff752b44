"""What a rollout looks like while it runs: its events and shares, redrawn on a terminal, appended elsewhere."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from mayfly.cli.output import escape

POLL_S: Final = 0.5
UNDER_WAY: Final = ("Created", "Queued", "InProgress", "Ready")
_EVENTS: Final = {
    "BeforeAllowTraffic": "hook before",
    "AllowTraffic": "shifting calls",
    "AfterAllowTraffic": "hook after",
}


def told(info: dict[str, Any]) -> str:
    """Where the calls go, and how they fared."""
    return " ".join(info.get("deploymentStatusMessages", ()))


class RolloutProgress:
    """Follows one rollout."""

    def __init__(self, console: Console, client: Any, deployment: str, sleep: Callable[[float], None]) -> None:
        """`client` is boto3's for CodeDeploy."""
        self._console = console
        self._client = client
        self._deployment = deployment
        self._sleep = sleep
        self._target: dict[str, Any] = {}
        self._told = ""
        self._live = False

    def follow(self, *, quiet: bool = False) -> dict[str, Any]:
        """Show it until it has ended; the last of GetDeployment."""
        with nullcontext() if quiet else self._shown():
            while True:
                info: dict[str, Any] = self._client.get_deployment(deploymentId=self._deployment)["deploymentInfo"]
                self._look(info, quiet=quiet)
                if info["status"] not in UNDER_WAY:
                    return info
                self._sleep(POLL_S)

    def _shown(self) -> AbstractContextManager[Any]:
        if not self._console.is_terminal:
            return nullcontext()
        self._live = True
        return Live(get_renderable=self._table, console=self._console, refresh_per_second=8, transient=False)

    def _look(self, info: dict[str, Any], *, quiet: bool) -> None:
        place = {"deploymentId": self._deployment}
        names = self._client.list_deployment_targets(**place)["targetIds"]
        found = self._client.get_deployment_target(**place, targetId=names[0])
        self._target = found["deploymentTarget"]["lambdaTarget"]
        line = f"{info['status']:<10}  {told(info)}"
        if line != self._told and not quiet and not self._live:
            self._console.print(f"{time.strftime('%H:%M:%S')}  {escape(line)}")
        self._told = line

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        if not self._target:
            return table
        version = self._target["lambdaFunctionInfo"]
        for event in self._target["lifecycleEvents"]:
            name, status = event["lifecycleEventName"], event["status"]
            mark: Any = {"Succeeded": "[green]✓[/]", "Failed": "[red]✗[/]", "InProgress": Spinner("dots")}.get(
                status, " "
            )
            table.add_row(mark, _EVENTS[name], f"[dim]{status}[/]")
        share = version["targetVersionWeight"]
        bar = ProgressBar(total=1.0, completed=share, width=40)
        table.add_row("", f"version {version['targetVersion']}", bar)
        table.add_row("", "", escape(self._told))
        return table
