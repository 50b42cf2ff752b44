"""`mayfly up`: the life of a server."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import typer

from mayfly.app.directory import DataDirectory, DirectoryBusyError
from mayfly.app.options import ServerOptions
from mayfly.cli import handover, served
from mayfly.cli import up_options as given
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption
from mayfly.cli.output import fail
from mayfly.errors import MayflyError

START_TIMEOUT_S = 30.0
POLL_S = 0.05
LEAST_FREE = 1024**2  # bytes without which no server starts


def up(
    data: DataOption = DEFAULT_DATA,
    host: given.Host = "127.0.0.1",
    port: given.Port = 4566,
    region: given.Region = "us-east-1",
    account: given.Account = "000000000000",
    isolation: given.Isolation = "namespace",
    require_level: given.RequireLevel = None,
    egress: given.Egress = "none",
    oci_runtime: given.OciRuntime = None,
    memory: given.Memory = None,
    keep_alive: given.KeepAlive = "learned",
    account_concurrency: given.AccountConcurrency = 1000,
    queue_s: given.QueueS = 10.0,
    scaling: given.Scaling = "1000:100",
    calls_per_concurrency: given.CallsPerConcurrency = None,
    spares: given.Spares = None,
    least_cpus: given.LeastCpus = 0.0,
    workers: given.Workers = 0,
    image_directory: given.ImageDirectory = None,
    registry: given.Registry = None,
    insecure_registry: given.InsecureRegistry = None,
    registry_auth: given.RegistryAuth = None,
    runtime_substitution: given.RuntimeSubstitution = True,
    retired_runtimes: given.RetiredRuntimes = False,
    rules_per_bus: given.RulesPerBus = 300,
    outgoing_allow: given.OutgoingAllow = None,
    accept_inert: given.AcceptInert = None,
    detach: given.Detach = False,
    options_to: given.OptionsTo = None,
) -> None:
    """Start the platform. Ctrl-C, SIGTERM or SIGHUP lets running functions finish (30 s at most) and stops it; a second
    one stops at once."""
    started = time.monotonic() - served.process_age_s()
    options = ServerOptions(
        data=data,
        host=host,
        port=port,
        region=region,
        account=account,
        isolation=isolation,
        require_level=require_level,
        egress=egress,
        oci_runtimes=tuple(oci_runtime or ()),
        memory_mb=memory,
        keep_alive=keep_alive,
        account_concurrency=account_concurrency,
        queue_s=queue_s,
        scaling=scaling,
        calls_per_concurrency=calls_per_concurrency,
        least_cpus=least_cpus,
        spares=spares,
        workers=workers,
        image_directories=tuple(image_directory or ()),
        registries=tuple(registry or ()),
        insecure_registries=tuple(insecure_registry or ()),
        registry_auth=registry_auth,
        runtime_substitution=runtime_substitution,
        retired_runtimes=retired_runtimes,
        rules_per_bus=rules_per_bus,
        outgoing_allow=tuple(outgoing_allow or ()),
        accept_inert=tuple(accept_inert or ()),
        access_key_id=os.environ.get("MAYFLY_ACCESS_KEY_ID"),
        secret_access_key=os.environ.get("MAYFLY_SECRET_ACCESS_KEY"),
    )
    if detach:
        _detached(options, started)
        return
    if options_to is None:
        raise typer.Exit(served.serve(options, started))
    with contextlib.suppress(BrokenPipeError), open(options_to, "wb") as file:  # to the process that serves, if it does
        file.write(handover.packed(options))


def _detached(options: ServerOptions, started: float) -> None:
    """Start a server of its own session, and wait until it says that it is ready."""
    directory = DataDirectory(options.data)
    try:
        directory.make()
    except MayflyError as error:
        fail(str(error))
    running = directory.running()
    if running is not None:
        fail(str(DirectoryBusyError(directory.root, running)))
    command = [sys.executable, "-m", "mayfly", "up", "--data", str(directory.root), "--host", options.host]
    command += ["--port", str(options.port), "--region", options.region, "--account", options.account]
    command += ["--isolation", options.isolation, "--keep-alive", options.keep_alive]
    command += ["--require-level", options.require_level] if options.require_level else []
    command += ["--egress", options.egress]
    for one in options.oci_runtimes:
        command += ["--oci-runtime", one]
    command += ["--memory", str(options.memory_mb)] if options.memory_mb else []
    command += ["--queue-s", str(options.queue_s), "--scaling", options.scaling]
    command += ["--account-concurrency", str(options.account_concurrency)]
    if options.calls_per_concurrency is not None:
        command += ["--calls-per-concurrency", str(options.calls_per_concurrency)]
    command += ["--spares", str(options.spares)] if options.spares is not None else []
    command += ["--workers", str(options.workers), "--least-cpus", str(options.least_cpus)]
    for path in options.image_directories:
        command += ["--image-directory", str(path.absolute())]
    for registry in options.registries:
        command += ["--registry", registry]
    for registry in options.insecure_registries:
        command += ["--insecure-registry", registry]
    command += ["--registry-auth", str(options.registry_auth.absolute())] if options.registry_auth else []
    command += ["--rules-per-bus", str(options.rules_per_bus)]
    for network in options.outgoing_allow:
        command += ["--outgoing-allow", network]
    for name in options.accept_inert:
        command += ["--accept-inert", name]
    command += [] if options.runtime_substitution else ["--no-runtime-substitution"]
    command += ["--retired-runtimes"] if options.retired_runtimes else []
    with _private_log(directory.server_log) as log:
        log_start = log.tell()
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = started + START_TIMEOUT_S
    while time.monotonic() < deadline:
        info = directory.running()
        if info is not None and info.pid == server.pid:
            served.announce(info, options.data, started)
            return
        if server.poll() is not None:
            said = directory.server_log.read_bytes()[log_start:].decode(errors="replace").strip()
            fail(said.removeprefix("mayfly: ") or _without_a_word(directory, server.returncode))
        time.sleep(POLL_S)
    fail(f"the server is not ready after {START_TIMEOUT_S:.0f} s; see {directory.server_log}")


def _private_log(path: Path) -> BinaryIO:
    """A log to go on with that its owner alone reads, also one that an earlier version left open to others."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def _without_a_word(directory: DataDirectory, status: int) -> str:
    """Of a server that ended and left nothing in its log, which a full disk does not take."""
    if shutil.disk_usage(directory.root).free < LEAST_FREE:
        return f"cannot use {directory.root} as data directory: no space is left on its disk"
    return f"the server ended with status {status}; `mayfly up` without --detach shows why"
