"""What whoever starts a server may choose, and the settings that follow from it."""

import importlib
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from mayfly.engine.limits import Limits
from mayfly.errors import CallerError
from mayfly.policy import egress, outgoing
from mayfly.policy.processors import MOST_CPUS
from mayfly.policy.rates import Rate
from mayfly.settings import (
    EngineSettings,
    EventLimits,
    FunctionLimits,
    HttpSettings,
    ImageSettings,
    Isolation,
    OciRuntime,
    OutgoingSettings,
    Settings,
)

_ACCOUNT = re.compile(r"\d{12}")
_KEEP_ALIVE = re.compile(r"learned|fixed(?::(\d{1,7}))?")
_SCALING = re.compile(r"(\d{1,6}):(\d{1,6}(?:\.\d{1,3})?)")
_REGISTRY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
# Limits of instances may add up to this many times the machine's memory: an instance rarely uses its limit, and one
# that does is held to it by its own cgroup.
_OVERCOMMIT = 4
_MOST_QUEUE_S = 900.0
MOST_CONCURRENCY = 1_000_000
MOST_RULES = 100_000
# What a spare takes, with pandas imported, and which part of the machine's memory all of them may take.
_SPARE_MB, _SPARES_SHARE = 4, 0.01
# In a container nothing is shared with a template, and gVisor brings its kernel.
_CONTAINED_SPARE_MB = {"gvisor": 64}
_OTHER_SPARE_MB = 16
# The same of a process that waits for its function; the code of its program is shared, and not counted.
_POOLED_MB, _POOLED_SHARE, _MOST_POOLED = 32, 0.02, 64
_TEMPLATES_SHARE = 0.125
MOST_WORKERS = 64
_LEVELS = ("namespace", "container", "gvisor", "process")
_OCI_RUNTIME = re.compile(r"([a-z][a-z0-9-]{0,31})=(/[^,]+(?:,[^,]+)*)")


class OptionError(CallerError):
    """An option has a value that cannot be; the message names both and what is allowed."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The command line's words for a server."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 4566  # 0: any free one
    region: str = "us-east-1"
    account: str = "000000000000"
    isolation: Isolation = "namespace"
    require_level: str | None = None  # of every function, at least
    egress: str = egress.NONE  # of functions that say nothing of it
    oci_runtimes: tuple[str, ...] = ()  # NAME=PATH[,ARGUMENT...]
    memory_mb: int | None = None
    least_cpus: float = FunctionLimits().least_cpus
    keep_alive: str = "learned"  # or `fixed`, or `fixed:SECONDS`
    account_concurrency: int = FunctionLimits().account_concurrency
    queue_s: float = EngineSettings().queue_s
    scaling: str = "1000:100"  # instances of a function at once, and a second; or `any`
    calls_per_concurrency: float | None = None
    spares: int | None = None  # at most; 0: none
    workers: int = 0
    image_directories: tuple[Path, ...] = ()  # below which an ImageUri may name layouts and archives
    registries: tuple[str, ...] = ()  # host:port that images may come from; none: any
    insecure_registries: tuple[str, ...] = ()  # host:port that may be asked over plain HTTP
    registry_auth: Path | None = None  # a file of credentials, as `docker login` writes it
    runtime_substitution: bool = True
    retired_runtimes: bool = False
    rules_per_bus: int = EventLimits().rules_per_bus
    accept_inert: tuple[str, ...] = ()  # types of resources, services of AWS, or `all`
    outgoing_allow: tuple[str, ...] = ()  # networks that the platform may send requests to though they are its own
    access_key_id: str | None = None
    secret_access_key: str | None = None

    def settings(self, data: Path) -> Settings:
        """Settings for data directory `data`, checked; `OptionError`."""
        if _ACCOUNT.fullmatch(self.account) is None:
            raise OptionError(f"account is 12 digits, not {self.account!r}")
        if _REGION.fullmatch(self.region) is None:
            raise OptionError(f"region is a name like us-east-1, not {self.region!r}")
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise OptionError("MAYFLY_ACCESS_KEY_ID and MAYFLY_SECRET_ACCESS_KEY go together; one of them is missing")
        return Settings(
            data=data,
            account=self.account,
            region=self.region,
            http=replace(HttpSettings(), host=self.host, port=self.port, workers=self._workers()),
            engine=self._engine(),
            limits=self._limits(),
            images=self._images(),
            outgoing=self._outgoing(),
            events=self._events(),
            accept_inert=self._accept_inert(),
        )

    def _accept_inert(self) -> tuple[str, ...]:
        if self.accept_inert:  # types are many and take time to import
            inert = importlib.import_module("mayfly.services.stacks.inert")
            known = importlib.import_module("mayfly.services.stacks.resources.registry").resource_types()
            if wrong := inert.unknown_words(inert.words(" ".join(self.accept_inert)), known):
                raise OptionError(f"accept-inert names no type of resources and no service of AWS: {'; '.join(wrong)}")
        return self.accept_inert

    def _events(self) -> EventLimits:
        if not 1 <= self.rules_per_bus <= MOST_RULES:
            raise OptionError(f"rules-per-bus is a number from 1 to {MOST_RULES}, not {self.rules_per_bus}")
        return EventLimits(rules_per_bus=self.rules_per_bus)

    def _outgoing(self) -> OutgoingSettings:
        try:
            outgoing.parse(self.outgoing_allow)
        except outgoing.ReachError as error:
            raise OptionError(f"outgoing-allow: {error}") from error
        return OutgoingSettings(allow=self.outgoing_allow)

    def _images(self) -> ImageSettings:
        for directory in self.image_directories:
            if not directory.is_dir():
                raise OptionError(f"image-directory is a directory of this machine, not {directory}")
        for option, hosts in (("registry", self.registries), ("insecure-registry", self.insecure_registries)):
            for host in hosts:
                if _REGISTRY.fullmatch(host) is None:
                    raise OptionError(f"{option} is a host, or HOST:PORT, without a path, not {host!r}")
        if self.registry_auth is not None and not self.registry_auth.is_file():
            raise OptionError(f"registry-auth is a file, as docker login writes it, not {self.registry_auth}")
        return ImageSettings(
            directories=tuple(directory.absolute() for directory in self.image_directories),
            registries=(*self.registries, *self.insecure_registries) if self.registries else None,
            insecure_registries=self.insecure_registries,
            auth_file=self.registry_auth.absolute() if self.registry_auth is not None else None,
        )

    def _workers(self) -> int:
        if not 0 <= self.workers <= MOST_WORKERS:
            raise OptionError(f"workers is a number from 0 to {MOST_WORKERS}, not {self.workers}")
        return self.workers

    def _limits(self) -> FunctionLimits:
        if not 1 <= self.account_concurrency <= MOST_CONCURRENCY:
            raise OptionError(
                f"account-concurrency is a number from 1 to {MOST_CONCURRENCY}, not {self.account_concurrency}"
            )
        usual = FunctionLimits()
        # In a small account everything is the part that stays unreserved, as on AWS.
        unreserved = min(usual.unreserved_minimum, self.account_concurrency)
        if not 0 <= self.least_cpus <= MOST_CPUS:
            raise OptionError(f"least-cpus is a number from 0 to {MOST_CPUS:g}, not {self.least_cpus:g}")
        return replace(
            usual,
            account_concurrency=self.account_concurrency,
            unreserved_minimum=unreserved,
            least_cpus=self.least_cpus,
        )

    def _engine(self) -> EngineSettings:
        if not 0 <= self.queue_s <= _MOST_QUEUE_S:
            raise OptionError(f"queue-s is a number of seconds from 0 to {_MOST_QUEUE_S:g}, not {self.queue_s:g}")
        if self.calls_per_concurrency is not None and not self.calls_per_concurrency > 0:
            raise OptionError(f"calls-per-concurrency is a number above 0, not {self.calls_per_concurrency:g}")
        burst, per_s = self._scaling()
        settings = EngineSettings(
            isolation=self.isolation,
            require_level=self._required_level(),
            egress=self._egress(),
            oci_runtimes=self._runtimes(),
            runtime_substitution=self.runtime_substitution,
            retired_runtimes=self.retired_runtimes,
            memory_mb=self.memory_mb,
            queue_s=self.queue_s,
            scaling_burst=burst,
            scaling_per_s=per_s,
            calls_per_concurrency=self.calls_per_concurrency,
            spares=self.spares,
        )
        chosen = _KEEP_ALIVE.fullmatch(self.keep_alive)
        if chosen is None:
            raise OptionError(f"keep-alive is learned, fixed or fixed:SECONDS, not {self.keep_alive!r}")
        if self.keep_alive == "learned":
            return replace(settings, keep_alive="learned")
        seconds = chosen[1]
        return replace(settings, keep_alive="fixed", keep_alive_s=float(seconds or settings.keep_alive_s))

    def _egress(self) -> str:
        """In the words that it is kept in; none of it can be enforced where nothing is isolated."""
        try:
            wanted = egress.parse(self.egress)
        except egress.EgressError as error:
            raise OptionError(str(error)) from error
        if wanted and not wanted.everything and self.isolation == "process":
            raise OptionError(f"egress {wanted} cannot be enforced with isolation process, which isolates nothing")
        return str(wanted)

    def _required_level(self) -> str | None:
        """One that this server has, or the machine may."""
        known = [*_LEVELS, *(one.partition("=")[0] for one in self.oci_runtimes)]
        if self.require_level is None or self.require_level in known:
            return self.require_level
        raise OptionError(f"require-level is {', '.join(known[:-1])} or {known[-1]}, not {self.require_level!r}")

    def _runtimes(self) -> tuple[OciRuntime, ...]:
        found = []
        for text in self.oci_runtimes:
            parsed = _OCI_RUNTIME.fullmatch(text)
            if parsed is None or parsed[1] in _LEVELS:
                raise OptionError(f"oci-runtime is NAME=/PATH or NAME=/PATH,ARGUMENT,... with a new name, not {text!r}")
            program, *arguments = parsed[2].split(",")
            if shutil.which(program) is None:
                raise OptionError(f"oci-runtime {parsed[1]}: {program} is no program of this machine")
            found.append(OciRuntime(parsed[1], Path(program), tuple(arguments)))
        names = [*_LEVELS, *(one.name for one in found)]
        if len(set(names)) < len(names):
            raise OptionError(f"oci-runtime names a level twice: {', '.join(self.oci_runtimes)}")
        if self.isolation not in names:
            raise OptionError(f"isolation is {', '.join(names[:-1])} or {names[-1]}, not {self.isolation!r}")
        return tuple(found)

    def _scaling(self) -> tuple[int, float]:
        """Instances at once, 0 for any number, and a second."""
        if self.scaling == "any":
            return 0, EngineSettings().scaling_per_s
        chosen = _SCALING.fullmatch(self.scaling)
        if chosen is None or int(chosen[1]) < 1 or float(chosen[2]) <= 0:
            raise OptionError(f"scaling is any, or AT_ONCE:A_SECOND such as 1000:100, not {self.scaling!r}")
        return int(chosen[1]), float(chosen[2])


def engine_limits(settings: EngineSettings) -> Limits:
    """How fast instances and calls may become more, and how long calls wait."""
    scaling = Rate(settings.scaling_burst, settings.scaling_per_s) if settings.scaling_burst else None
    return Limits(scaling=scaling, calls_per_concurrency=settings.calls_per_concurrency, queue_s=settings.queue_s)


def memory_budget_mb(settings: Settings) -> int:
    """MB that the limits of all instances may add up to: what was asked for, else four times the machine's memory."""
    if settings.engine.memory_mb is not None:
        return settings.engine.memory_mb
    return _machine_mb() * _OVERCOMMIT


def template_budget_mb(settings: Settings) -> float:
    """MB that all shared templates may use, beside the instances: a part of the machine's memory, or of what instances
    may have if that is less."""
    return min(memory_budget_mb(settings), _machine_mb()) * _TEMPLATES_SHARE


def most_spares(settings: Settings) -> int:
    """How many sandboxes may be made ahead of calls. None where nothing is isolated: that is for development."""
    level = settings.engine.isolation
    if level == "process":
        return 0
    if settings.engine.spares is not None:
        return settings.engine.spares
    each_mb = _SPARE_MB if level == "namespace" else _CONTAINED_SPARE_MB.get(level, _OTHER_SPARE_MB)
    return int(_machine_mb() * _SPARES_SHARE / each_mb)


def most_pooled(settings: Settings) -> int:
    """How many processes may wait for functions that they do not know yet; none where there are to be no spares."""
    if settings.engine.spares == 0:
        return 0
    return max(1, min(_MOST_POOLED, int(_machine_mb() * _POOLED_SHARE / _POOLED_MB)))


def _machine_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
