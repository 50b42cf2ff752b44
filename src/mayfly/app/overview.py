"""What runs, for `mayfly status`: the server, every function, the level it is isolated at, its instances."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mayfly.app.asking import Asking
from mayfly.app.directory import ServerInfo
from mayfly.app.layers import level_of
from mayfly.app.sandboxes import Interpreters
from mayfly.engine.api import Engine
from mayfly.front.process import FrontView
from mayfly.services.functions.runtimes import PYTHON
from mayfly.settings import Settings

IMAGE = "container image"  # shown where packages have a runtime


class Overview:
    """Looks at a running platform."""

    def __init__(
        self,
        asking: Asking,
        interpreters: Interpreters,
        engine: Engine,
        settings: Settings,
        info: ServerInfo,
        services: Sequence[str],
        fronts: Callable[[], Sequence[FrontView]],
        levels: Callable[[], Awaitable[Mapping[str, str]]],
    ) -> None:
        """`levels`: that of each function, by name."""
        self.services = services
        self._asking = asking
        self._interpreters = interpreters
        self._engine = engine
        self._settings = settings
        self._info = info
        self._fronts = fronts
        self._levels = levels
        self._started = time.monotonic()

    async def report(self) -> dict[str, Any]:
        """Everything, as JSON can say it."""
        return {
            "server": asdict(self._info),
            "uptime_s": time.monotonic() - self._started,
            "data": str(self._settings.data),
            "services": list(self.services),
            "workers": [asdict(front) for front in self._fronts()],
            "substitutes": self._interpreters.substitutes(PYTHON),
            "functions": await self._functions(),
            "engine": asdict(self._engine.counters()),
        }

    def _warnings(self, function: Mapping[str, Any]) -> list[str]:
        if "Runtime" not in function:
            return []
        return self._interpreters.warnings(function["Runtime"], function["Architectures"])

    async def _functions(self) -> list[dict[str, Any]]:
        instances: dict[str, Counter[str]] = {}
        for pool in self._engine.snapshot():
            states = instances.setdefault(pool.function, Counter())
            states.update(instance.state for instance in pool.instances)
        levels = await self._levels()
        return [
            {
                "name": function["FunctionName"],
                "runtime": function.get("Runtime", IMAGE),
                "isolation": level_of(function.get("Runtime", IMAGE), levels[function["FunctionName"]]),
                "memory_mb": function["MemorySize"],
                "instances": dict(instances.get(function["FunctionArn"], {})),
                "warnings": self._warnings(function),
            }
            for function in await self._asking.all("ListFunctions", "Functions", {})
            if function["FunctionName"] in levels
        ]
