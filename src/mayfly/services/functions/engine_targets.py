"""From a function to what the engine runs: sandbox, handler, time, and the environment of each instance.

The variables are those that AWS documents for its runtimes. Credentials are made for each instance just before it
starts, and are those of the function's role.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mayfly.clock import Clock, utc
from mayfly.engine.api import Target
from mayfly.sandbox.api import SandboxSpec
from mayfly.services.contract import ServiceError
from mayfly.services.functions import runtimes
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.model import LATEST, Function
from mayfly.services.functions.names import Home
from mayfly.services.functions.roles import RoleUnusableError
from mayfly.services.ports import Credentials, Roles
from mayfly.settings import FunctionLimits, Isolation

# AWS gives a processor at 1,769 MB and grows in proportion, up to six. Below that it gives less, but lifts the limit
# during init; here one whole processor is the least: at 128 MB a hard 7 % would turn 100 ms of imports into 1.4 s.
_MB_PER_CPU = 1769
_MIN_CPUS, _MAX_CPUS = 1.0, 6.0
CREDENTIALS_S = 12 * 3600
TASK_ROOT = "/var/task"
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


def log_stream(instance: str, started_at: float, version: str = LATEST) -> str:
    """The log stream of an instance: `2026/01/31/[$LATEST]` and 32 hexadecimal digits."""
    return f"{utc(started_at):%Y/%m/%d}/[{version}]{sha256(instance.encode()).hexdigest()[:32]}"


def cpus(memory_mb: int) -> float:
    """The most processors that an instance with this much memory may use."""
    return min(max(memory_mb / _MB_PER_CPU, _MIN_CPUS), _MAX_CPUS)


class Streams:
    """Which log stream each living instance writes to; named when its environment is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._names: dict[str, str] = {}

    def of(self, instance: str) -> str:
        """The instance's stream, the same until `forget`."""
        name = self._names.get(instance)
        if name is None:
            name = self._names[instance] = log_stream(instance, self._clock.now())
        return name

    def forget(self, instance: str) -> None:
        self._names.pop(instance, None)


class TargetFactory:
    """Builds targets. `endpoint` is where code in a sandbox reaches Mayfly, `isolation` what the sandboxes are."""

    def __init__(
        self,
        home: Home,
        library: CodeLibrary,
        roles: Roles,
        choose: runtimes.Runtimes,
        limits: FunctionLimits,
        streams: Streams,
        endpoint: str,
        isolation: Isolation,
    ) -> None:
        self._home = home
        self._library = library
        self._roles = roles
        self._choose = choose
        self._limits = limits
        self._streams = streams
        self._endpoint = endpoint
        self._isolation = isolation

    def build(self, function: Function) -> FunctionTarget:
        """The target of a function; `ServiceError` when its runtime cannot be had any more."""
        configuration = function.configuration
        choice = runtimes.choose(self._choose, configuration.runtime)
        arn = self._home.arn(function.name)

        async def environment(instance: str) -> Mapping[str, str]:
            return await self._environment(function, instance)

        return FunctionTarget(
            key=f"{arn}:{function.deployment_id}",
            function=arn,
            sandbox=self._sandbox(function, choice.template, self._library.directory(function.code.sha256)),
            handler=configuration.handler,
            timeout_s=float(configuration.timeout_s),
            environment=environment,
            reserved_concurrency=function.reserved_concurrency,
            name=function.name,
            version=LATEST,
            log_group=function.log_group,
            ephemeral_mb=configuration.ephemeral_mb,
            architecture=configuration.architecture,
            account=self._home.account,
            runtime=configuration.runtime,
            notice=choice.warning,
        )

    def _sandbox(self, function: Function, template: str, code: Path) -> SandboxSpec:
        configuration = function.configuration
        return SandboxSpec(
            runtime=template,
            code=code,
            memory_mb=configuration.memory_mb,
            ephemeral_mb=configuration.ephemeral_mb,
            processes=self._limits.processes,
            open_files=self._limits.open_files,
            cpus=cpus(configuration.memory_mb),
            label=function.name[:32],
        )

    async def _environment(self, function: Function, instance: str) -> Mapping[str, str]:
        configuration = function.configuration
        credentials = await self._credentials(function)
        return {
            "AWS_ENDPOINT_URL": self._endpoint,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:"
            "/var/task/lib:/opt/lib",
            "PYTHONPATH": "/var/runtime",
            **(configuration.environment or {}),
            "_HANDLER": configuration.handler,
            "LAMBDA_TASK_ROOT": self._task_root(function),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "AWS_REGION": self._home.region,
            "AWS_DEFAULT_REGION": self._home.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": LATEST,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._streams.of(instance),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
        }

    def _task_root(self, function: Function) -> str:
        """Where an instance sees its code: only a sandbox with a root of its own can show it elsewhere."""
        if self._isolation == "process":
            return str(self._library.directory(function.code.sha256))
        return TASK_ROOT

    async def _credentials(self, function: Function) -> Credentials:
        """Those of the function's role, with the function's name on them; `RoleUnusableError`."""
        role = function.configuration.role
        try:
            return await self._roles.credentials(role, function.name, CREDENTIALS_S)
        except ServiceError as error:
            raise RoleUnusableError(role) from error
