"""How one function stands, for `mayfly function`: what runs it, behind what, how much of it, and how it starts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from mayfly.app.asking import Asking
from mayfly.app.function_settings import settings
from mayfly.app.layers import Layers, Sizes, level_of
from mayfly.app.overview import IMAGE
from mayfly.app.reach import Reach
from mayfly.app.sandboxes import Interpreters
from mayfly.app.start_report import report
from mayfly.app.starts import StartBook, only
from mayfly.engine.api import Engine, FunctionCounters, PoolView
from mayfly.errors import CallerError
from mayfly.sandbox.denials import Denials
from mayfly.services.contract import ServiceError
from mayfly.services.functions.deployments import Deployment, Deployments
from mayfly.services.functions.development.sessions import Development
from mayfly.services.functions.levels import FunctionLevels
from mayfly.services.functions.model import Scaling
from mayfly.services.functions.runtimes import RuntimeAbsent

_PARTS = 7  # of the ARN of a function; those of versions and aliases have one more


class QualifiedError(CallerError):
    """A function was named with a version or alias."""


class FunctionView:
    """Looks at one function of a running platform."""

    def __init__(
        self,
        asking: Asking,
        interpreters: Interpreters,
        engine: Engine,
        layers: Layers,
        book: StartBook,
        deployments: Deployments,
        account_concurrency: int,
        denials: Denials,
        levels: FunctionLevels,
        reach: Reach,
        development: Development,
    ) -> None:
        self._asking = asking
        self._interpreters = interpreters
        self._engine = engine
        self._layers = layers
        self._book = book
        self._deployments = deployments
        self._account_concurrency = account_concurrency
        self._denials = denials
        self._levels = levels
        self._reach = reach
        self._development = development

    def all_starts(self) -> dict[str, Any]:
        """How many starts there were of all functions, by path."""
        return {"since": self._book.since, "counts": dict(self._book.counts)}

    async def starts(self, named: str, limit: int) -> dict[str, Any]:
        """The latest starts of a function, by name or ARN; of one version where that names one, or an alias, whose
        version that is which it points at. `ServiceError`."""
        found = await self._asking.ask("GetFunctionConfiguration", {"FunctionName": named})
        name, parts = found["FunctionName"], found["FunctionArn"].split(":")
        page = self._book.of(":".join(parts[:_PARTS]))
        if len(parts) == _PARTS:
            return {"function": name, **report(page, self._book.since, limit)}
        version = found["Version"]
        return {"function": name, "version": version, **report(only(page, version), self._book.since, limit)}

    async def of(self, named: str) -> dict[str, Any]:
        """Everything about a function, by name or ARN. `ServiceError`, `QualifiedError`."""
        found = await self._find(named)
        name, arn = found["FunctionName"], found["FunctionArn"]
        deployments = await self._deployments.of(name)
        pools = [pool for pool in self._engine.snapshot() if pool.function == arn]
        sizes = Sizes(found["MemorySize"], found["EphemeralStorage"]["Size"])
        tags = (await self._asking.ask("ListTags", {"Resource": arn})).get("Tags", {})
        isolation = self._isolation(found, tags, sizes)
        developed = await self._development.in_force(name)
        return {
            "name": name,
            "arn": arn,
            "handler": found.get("Handler"),
            "image": await self._image(found),
            "layers": [{"arn": one["Arn"], "size": one["CodeSize"]} for one in found.get("Layers", ())],
            **self._runtime(found.get("Runtime", IMAGE), found["Architectures"]),
            "development": msgspec.to_builtins(developed),
            "isolation": isolation,
            "egress": self._reach.of(arn, tags, found.get("Runtime", IMAGE), isolation["level"]),
            "refused_calls": [asdict(one) for one in self._denials.of(arn)],
            "memory_mb": sizes.memory_mb,
            "ephemeral_mb": sizes.ephemeral_mb,
            "timeout_s": found["Timeout"],
            "settings": await settings(self._asking, found),
            "concurrency": await self._concurrency(name, deployments),
            "instances": _states(pools),
            "waiting": sum(pool.waiting for pool in pools),
            "calls": _calls(self._engine.counters_of(arn)),
            "versions": [self._version(one, pools) for one in deployments],
            "aliases": await self._aliases(name),
            "urls": await self._urls(name),
            "starts": {"since": self._book.since, "counts": dict(self._book.of(arn).counts)},
        }

    def _isolation(self, found: dict[str, Any], tags: Mapping[str, str], sizes: Sizes) -> dict[str, Any]:
        """The level, what is required of it, and the layers in force; why there is none, where there is none."""
        runtime = found.get("Runtime", IMAGE)
        required = {"platform": self._levels.platforms, "account": self._levels.accounts}
        try:
            level = self._levels.of(tags)
        except ServiceError as error:
            return {"level": "none", "required": required, "refused": error.message, "layers": []}
        shown, layers = level_of(runtime, level), self._layers.of(level, sizes, runtime)
        return {"level": shown, "required": required, "refused": None, "layers": layers}

    async def _find(self, named: str) -> dict[str, Any]:
        found = await self._asking.ask("GetFunctionConfiguration", {"FunctionName": named})
        if found["FunctionArn"].count(":") > 6:
            name = found["FunctionName"]
            raise QualifiedError(f"{named} names a version or an alias; all of them are shown under {name}")
        return found

    async def _image(self, found: dict[str, Any]) -> dict[str, str] | None:
        """The image that a function runs from; None for a package."""
        if found["PackageType"] == "Zip":
            return None
        code = (await self._asking.ask("GetFunction", {"FunctionName": found["FunctionName"]}))["Code"]
        return {"uri": code["ImageUri"], "pinned": code["ResolvedImageUri"]}

    def _runtime(self, runtime: str, architectures: Sequence[str]) -> dict[str, Any]:
        if runtime == IMAGE:
            return {"runtime": runtime, "interpreter": None, "warnings": []}
        choice = self._interpreters.choose(runtime)
        warnings = self._interpreters.warnings(runtime, architectures)
        if isinstance(choice, RuntimeAbsent):
            return {"runtime": runtime, "interpreter": None, "warnings": warnings}
        chosen = self._interpreters.by_template[choice.template]
        interpreter = {"path": str(chosen.path), "version": ".".join(map(str, chosen.version))}
        return {"runtime": runtime, "interpreter": interpreter, "warnings": warnings}

    async def _concurrency(self, name: str, deployments: Sequence[Deployment]) -> dict[str, Any]:
        reserved = await self._asking.ask("GetFunctionConcurrency", {"FunctionName": name})
        provisioned = await self._asking.all(
            "ListProvisionedConcurrencyConfigs", "ProvisionedConcurrencyConfigs", {"FunctionName": name}
        )
        return {
            "reserved": reserved.get("ReservedConcurrentExecutions"),
            "account": self._account_concurrency,
            "provisioned": [
                {
                    "qualifier": one["FunctionArn"].rpartition(":")[2],
                    "wanted": one["RequestedProvisionedConcurrentExecutions"],
                    "available": one["AvailableProvisionedConcurrentExecutions"],
                    "status": one["Status"],
                    "reason": one.get("StatusReason"),
                }
                for one in provisioned
            ],
            "scaling": [self._scaling(one, one.scaling) for one in deployments if one.scaling is not None],
        }

    def _scaling(self, one: Deployment, scaling: Scaling) -> dict[str, Any]:
        kept = self._engine.provisioned(one.key)
        available = min(kept.available, kept.wanted) if kept is not None else 0
        return {"version": one.version, "least": scaling.least, "most": scaling.most, "available": available}

    def _version(self, one: Deployment, pools: Sequence[PoolView]) -> dict[str, Any]:
        return {
            "version": one.version,
            "state": one.state,
            "reason": one.state_reason,
            "snap_start": one.snap_start,
            "calls_at_a_time": one.calls_at_a_time,
            "instances": _states([pool for pool in pools if pool.key == one.key]),
            "template": self._template(one),
        }

    def _template(self, one: Deployment) -> dict[str, str | None]:
        """The engine's word; where it has none, that of the time when the version was published."""
        view = self._engine.template(one.key)
        kind = "function" if one.snap_start else "packages"
        if view is not None:
            return {"kind": kind, "state": view.state, "reason": view.reason or None}
        if one.unoptimized_because is not None:
            return {"kind": kind, "state": "refused", "reason": one.unoptimized_because}
        return {"kind": kind, "state": "none", "reason": None}

    async def _aliases(self, name: str) -> list[dict[str, Any]]:
        aliases = await self._asking.all("ListAliases", "Aliases", {"FunctionName": name})
        return [
            {
                "name": one["Name"],
                "version": one["FunctionVersion"],
                "weights": one.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
            }
            for one in aliases
        ]

    async def _urls(self, name: str) -> list[dict[str, Any]]:
        urls = await self._asking.all("ListFunctionUrlConfigs", "FunctionUrlConfigs", {"FunctionName": name})
        return [
            {
                "qualifier": one["FunctionArn"].split(":", 7)[7] if one["FunctionArn"].count(":") > 6 else None,
                "url": one["FunctionUrl"],
                "auth": one["AuthType"],
            }
            for one in urls
        ]


def _calls(counters: FunctionCounters) -> dict[str, Any]:
    """What became of calls that did not simply run, since the server started."""
    return {
        "provisioned": counters.provisioned_calls,
        "spilled_over": counters.spillovers,
        "refused": dict(counters.throttled),
        "waited": counters.waits,
        "waited_ms": counters.waited_ms,
        "evicted_instances": counters.evictions,
        "yielded_instances": counters.yields,
    }


def _states(pools: Sequence[PoolView]) -> dict[str, int]:
    return dict(Counter(instance.state for pool in pools for instance in pool.instances))
