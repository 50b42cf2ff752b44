"""From a function to what the engine runs: what starts it, in which sandbox, with how much time."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mayfly.engine.api import Target
from mayfly.policy import processors
from mayfly.policy.egress import variables as egress_variables
from mayfly.sandbox import frames, rubies
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.java import launch
from mayfly.sandbox.python.managed import LAYERS, WRAPPED
from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions import capacity, image_process, runtimes
from mayfly.services.functions.code.assembly import Code
from mayfly.services.functions.development.substitutes import Substitute, Substitutes
from mayfly.services.functions.egress import FunctionEgress
from mayfly.services.functions.environments import PER_INSTANCE, Environments
from mayfly.services.functions.ground import Ground
from mayfly.services.functions.levels import FunctionLevels
from mayfly.services.functions.log_streams import Streams
from mayfly.services.functions.model import LATEST, Configuration, Function, JsonLogs, Version, VersionState

SANDBOX_ENDPOINT = "http://127.0.0.1:4566"


@dataclass(frozen=True, slots=True)
class FunctionTarget(Target):
    """A target that also knows what log lines and usage records need; the engine hands it back to the observer."""

    name: str = ""
    version: str = LATEST
    log_group: str = ""
    ephemeral_mb: int = 0
    architecture: str = ""
    account: str = ""
    runtime: str = ""
    notice: str | None = None  # about the runtime, shown once an instance
    state: VersionState = "Active"  # of the version; only active ones can be invoked
    logs: JsonLogs | None = None  # None: text
    log_owner: str = ""  # in the names of log streams, where functions may share the group
    initialization: str = "on-demand"  # how its instances come to be
    traced: bool = False  # TracingConfig Active
    dead_letters: str | None = None  # ARN of what gets events that are given up

    def of_tenant(self, tenant: str) -> Self:
        """The target of the instances that serve this tenant alone. What was run for nobody yet may be shared."""
        return dataclasses.replace(
            self, key=f"{self.key}\0{tenant}", family=self.key, tenant=tenant, snap_start=False, optimized=False
        )


WEB_ADAPTER = "/opt/bootstrap"  # what the wrapper of the adapter's layer is called


def serves_web(configuration: Configuration) -> bool:
    """Whether a function of a managed runtime is a web server that its handler names the start of.

    It is where it would have the AWS Lambda Web Adapter started in front of it, which Mayfly does not need.
    """
    own = configuration.environment or {}
    return own.get("AWS_LAMBDA_EXEC_WRAPPER") == WEB_ADAPTER or own.get("MAYFLY_WEB", "").lower() == "on"


def _initialization(version: Version | None, configuration: Configuration, *, ahead: bool) -> str:
    """What an instance is told of how it came to be."""
    if ahead and version is not None and configuration.capacity is not None and version.scaling is not None:
        ahead = False  # all of its instances are of one kind
    if ahead:
        return "provisioned-concurrency"
    if version is not None and configuration.snap_start:
        return "snap-start"
    return "lambda-managed-instances" if configuration.capacity is not None else "on-demand"


def _most_instances(version: Version | None, substitute: Substitute | None) -> int | None:
    """One where somebody looks at an instance."""
    if version is not None:
        return version.scaling.most if version.scaling is not None else None
    return 1 if substitute is not None and substitute.probe is not None else None


class TargetFactory:
    """Builds targets. `endpoint` is where code in a sandbox reaches Mayfly."""

    def __init__(
        self,
        ground: Ground,
        code: Code,
        choose: runtimes.Runtimes,
        streams: Streams,
        endpoint: str,
        levels: FunctionLevels,
        egress: FunctionEgress,
        substitutes: Substitutes,
    ) -> None:
        """`substitutes`: what $LATEST runs on that somebody works on."""
        self._substitutes = substitutes
        self._home = ground.home
        self._library = code.library
        self._layers = code.layers
        self._images = code.images
        self._choose = choose
        self._limits = ground.settings.limits
        self._streams = streams
        self._environments = Environments(ground, code, endpoint)
        self._isolation = ground.settings.engine.isolation
        self._compiled = code.modules.place  # where a module of WebAssembly lies in its package when it is compiled
        self._levels = levels
        self._egress = egress

    def key(self, function: Function, version: Version | None = None) -> str:
        """The key of the target of $LATEST, or of a version."""
        function = self._substitutes.of(function)
        mark = self._levels.mark(function.tags) + self._egress.mark(function.tags)
        return f"{self._home.arn(function.name)}:{(version or function).deployment_id}{mark}"

    def build(self, function: Function, version: Version | None = None, *, ahead: bool = False) -> FunctionTarget:
        """The target of $LATEST or of a version; `ServiceError` when its runtime, or its level, cannot be had any
        more.

        `ahead`: for instances that are provisioned, which are told so.
        """
        substitute = self._substitutes.for_(function) if version is None else None
        key = self.key(function, version)
        runs = version or self._substitutes.of(function)
        configuration = runs.configuration
        choice = self._chosen(runs)
        label = version.label if version else LATEST
        reached = self._egress.of(function.tags, configuration.runtime)
        initialization = _initialization(version, configuration, ahead=ahead)
        owner = function.name if runs.log_group != f"/aws/lambda/{function.name}" else ""

        async def environment(instance: str) -> Mapping[str, str]:
            own = {
                **egress_variables(reached),
                **self._environments.usual(function.name, runs, choice),
                "AWS_LAMBDA_FUNCTION_VERSION": label,
                "AWS_LAMBDA_LOG_STREAM_NAME": self._streams.of(instance, label, owner),
                "AWS_LAMBDA_INITIALIZATION_TYPE": initialization,
            }
            if choice.template == artifacts.NAME:
                return own  # there is no network to use credentials on
            return own | await self._environments.signing(function.name, configuration.role)

        return FunctionTarget(
            key=key,
            function=self._home.arn(function.name),
            sandbox=dataclasses.replace(
                self._sandbox(function.name, runs, choice, self._levels.of(function.tags)), egress=reached
            ),
            handler=self._handler(configuration, choice.template),
            timeout_s=float(configuration.timeout_s),
            environment=environment,
            reserved_concurrency=function.reserved_concurrency,
            most_instances=_most_instances(version, substitute),
            freezes=substitute is None or substitute.probe is None,
            fleet=configuration.capacity.provider if configuration.capacity is not None else "",
            concurrency=capacity.calls_at_a_time(configuration.capacity, configuration.memory_mb),
            # Also where instances of it cannot start from after init: their hooks run all the same.
            snap_start=version is not None and configuration.snap_start,
            optimized=version is not None and version.optimized,
            per_instance=PER_INSTANCE,
            cpus=own if (own := self._share(configuration)) < processors.AT_START else None,
            contract=choice.contract,
            command=choice.command,
            directory=image_process.directory(runs.code, configuration.image) if runs.code.image is not None else "",
            name=function.name,
            version=label,
            log_group=runs.log_group,
            ephemeral_mb=configuration.ephemeral_mb,
            architecture=configuration.architecture,
            account=self._home.account,
            runtime=configuration.runtime,
            notice=choice.warning,
            state=runs.standing,
            logs=configuration.logs,
            log_owner=owner,
            initialization=initialization,
            traced=configuration.tracing,
            dead_letters=configuration.dead_letters,
        )

    def _chosen(self, runs: Function | Version) -> runtimes.RuntimeChoice:
        """What runs it: one of this machine's runtimes, or what an image brings."""
        if runs.code.image is None:
            choice = runtimes.choose(self._choose, runs.configuration.runtime)
            managed = choice.contract == "frames" or choice.java is not None or choice.command
            if serves_web(runs.configuration) and managed:
                start = f"{self._environments.task_root(runs)}/{runs.configuration.handler}"
                return dataclasses.replace(choice, contract="program", command=(start,))
            if command := self._beside_others(choice, runs.configuration):
                return dataclasses.replace(choice, contract="program", command=command, pooled=None)
            if choice.java is not None:
                return dataclasses.replace(choice, command=self._java(runs, *choice.java))
            if self._isolation != "process":
                choice = dataclasses.replace(choice, command=rubies.inside(choice.command))
            wrapper = (runs.configuration.environment or {}).get("AWS_LAMBDA_EXEC_WRAPPER")
            if wrapper and choice.command:
                return dataclasses.replace(choice, command=(wrapper, *choice.command))
            return choice
        command = image_process.command(runs.code, runs.configuration.image)
        return runtimes.RuntimeChoice("", contract="program", command=command)

    def _beside_others(self, choice: runtimes.RuntimeChoice, configuration: Configuration) -> tuple[str, ...]:
        """What starts a managed runtime as one program of several: where external extensions run beside it, and where
        a wrapper of Python's does. Nothing where neither is so; only a sandbox with a network of its own can have it.
        """
        if choice.contract != "frames" or choice.template == artifacts.NAME or self._isolation == "process":
            return ()
        tree = self._layers.tree(configuration.layers)
        layers = () if tree is None else (LAYERS + tree.name,)
        wrapper = (configuration.environment or {}).get("AWS_LAMBDA_EXEC_WRAPPER")
        if wrapper and configuration.runtime in runtimes.PYTHON:
            return frames.MANAGED, WRAPPED, *layers
        return (frames.MANAGED, *layers) if any(layer.extends for layer in configuration.layers) else ()

    def _java(self, runs: Function | Version, java: Path, launcher: Path) -> tuple[str, ...]:
        """What runs a function of Java; a wrapper of its own, as on AWS, starts it."""
        own = runs.configuration.environment or {}
        shown = str(launcher) if self._isolation == "process" else launch.LAYERS
        command = launch.command(
            java, runs.configuration.memory_mb, self._environments.task_root(runs), f"{shown}/{launch.DIRECTORY}", own
        )
        wrapper = own.get("AWS_LAMBDA_EXEC_WRAPPER")
        return (wrapper, *command) if wrapper else command

    def _handler(self, configuration: Configuration, template: str) -> str:
        return self._compiled(configuration.handler) if template == artifacts.NAME else configuration.handler

    def _sandbox(self, name: str, runs: Function | Version, choice: runtimes.RuntimeChoice, level: str) -> SandboxSpec:
        configuration = runs.configuration
        return SandboxSpec(
            runtime=choice.template,
            program=choice.contract == "program",
            code=self._library.directory(runs.code.sha256),
            layers=() if (tree := self._layers.tree(configuration.layers)) is None else (tree,),
            root=self._images.root(runs.code) if runs.code.image is not None else None,
            memory_mb=configuration.memory_mb,
            ephemeral_mb=configuration.ephemeral_mb,
            processes=self._limits.processes,
            open_files=self._limits.open_files,
            cpus=processors.at_start(self._share(configuration)),
            label=name[:32],
            owner=self._home.arn(name),
            level=level,
            pooled=choice.pooled is not None and choice.pooled(configuration.environment or {}),
        )

    def _share(self, configuration: Configuration) -> float:
        """The processors that go with its memory."""
        chosen = configuration.capacity.memory_gib_per_cpu if configuration.capacity is not None else None
        return processors.share(configuration.memory_mb, chosen, self._limits.least_cpus)
