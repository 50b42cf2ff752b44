"""The environment of instances: the variables that AWS documents for its runtimes, and those by which functions sign.

Credentials are made for each instance just before it starts, and are those of the function's role.
"""

from types import MappingProxyType

from mayfly.sandbox.wasm import artifacts
from mayfly.services.contract import ServiceError
from mayfly.services.functions import capacity, image_process, runtimes, tracing, variables
from mayfly.services.functions.code.assembly import Code
from mayfly.services.functions.ground import Ground
from mayfly.services.functions.layers.contents import SEEN_AT
from mayfly.services.functions.logs import settings as log_settings
from mayfly.services.functions.model import Function, Version
from mayfly.services.functions.roles import RoleUnusableError
from mayfly.services.ports import Credentials

CREDENTIALS_S = 12 * 3600
TASK_ROOT = "/var/task"
# Whom programs trust that speak TLS with the platform; Node.js is told when it is launched.
_TRUST = MappingProxyType({"SSL_CERT_FILE": "/var/runtime/certificates.pem"})
_BY_FILE = ("python", "ruby")
# Variables that differ between instances, or expire with their credentials.
PER_INSTANCE = frozenset(
    ("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
)


class Environments:
    """Of all functions. `endpoint` is where code in a sandbox reaches Mayfly."""

    def __init__(self, ground: Ground, code: Code, endpoint: str) -> None:
        self._home = ground.home
        self._roles = ground.roles
        self._isolation = ground.settings.engine.isolation
        self._library = code.library
        self._layers = code.layers
        self._endpoint = endpoint

    async def signing(self, name: str, role: str) -> dict[str, str]:
        """The variables with which an instance signs what it sends."""
        credentials = await self._credentials(name, role)
        return {
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
        }

    def usual(self, name: str, runs: Function | Version, choice: runtimes.RuntimeChoice) -> dict[str, str]:
        """What is the same for all instances."""
        configuration = runs.configuration
        calls = capacity.calls_at_a_time(configuration.capacity, configuration.memory_mb)
        return {
            **self._of_package(runs, choice),
            **tracing.VARIABLES,
            **variables.checked(configuration, name),
            **log_settings.variables(configuration.logs),
            **({"_HANDLER": configuration.handler} if configuration.package == "Zip" else {}),
            "AWS_REGION": self._home.region,
            "AWS_DEFAULT_REGION": self._home.region,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": runs.log_group,
            **({"AWS_LAMBDA_MAX_CONCURRENCY": str(calls)} if configuration.capacity is not None else {}),
        }

    def _of_package(self, runs: Function | Version, choice: runtimes.RuntimeChoice) -> dict[str, str]:
        """What suits whatever the code is; a function's own variables come over it."""
        if runs.code.image is not None:
            return {"AWS_ENDPOINT_URL": self._endpoint, **image_process.variables(runs.code)}
        usual = {
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{runs.configuration.runtime}",
        }
        if runs.configuration.runtime.startswith("ruby"):
            usual["LC_CTYPE"] = "C.UTF-8"  # every C library has this one, and Ruby's strings are what it says
        return usual if runs.configuration.runtime == artifacts.NAME else {**usual, **self._of_processes(runs, choice)}

    def _of_processes(self, runs: Function | Version, choice: runtimes.RuntimeChoice) -> dict[str, str]:
        """What a function is told that has a file system and can reach the platform."""
        layers = self._layers_root(runs)
        path = f"/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:{layers}/bin"
        if choice.contract == "program" and choice.interpreter is not None:
            path = f"{choice.interpreter.parent}:{path}"  # of its own version, by its own names
        return {
            "AWS_ENDPOINT_URL": self._endpoint,
            "PATH": path,
            "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:"
            f"/var/task/lib:{layers}/lib",
            **({"PYTHONPATH": "/var/runtime"} if runs.configuration.runtime.startswith("python") else {}),
            **(_TRUST if self._isolation != "process" and runs.configuration.runtime.startswith(_BY_FILE) else {}),
            "LAMBDA_TASK_ROOT": self.task_root(runs),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
        }

    def _layers_root(self, runs: Function | Version) -> str:
        """The same of its layers."""
        tree = self._layers.tree(runs.configuration.layers)
        return str(tree) if tree is not None and self._isolation == "process" else SEEN_AT

    def task_root(self, runs: Function | Version) -> str:
        """Where an instance sees its code: only a sandbox with a root of its own can show it elsewhere."""
        if self._isolation == "process":
            return str(self._library.directory(runs.code.sha256))
        return TASK_ROOT

    async def _credentials(self, name: str, role: str) -> Credentials:
        """Those of the function's role, with the function's name on them; `RoleUnusableError`."""
        try:
            return await self._roles.credentials(role, name, CREDENTIALS_S)
        except ServiceError as error:
            raise RoleUnusableError(role) from error
