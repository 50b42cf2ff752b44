"""`mayfly up`: the life of a server."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from mayfly.app.directory import DataDirectory, DirectoryBusyError
from mayfly.app.options import MOST_CONCURRENCY, MOST_RULES, ServerOptions
from mayfly.cli import entry, handover, served
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import DataOption
from mayfly.cli.output import fail
from mayfly.errors import MayflyError

START_TIMEOUT_S = 30.0
POLL_S = 0.05


def up(
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str, typer.Option(envvar="MAYFLY_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="MAYFLY_PORT", min=0, max=65535, help="Port; 0 takes a free one.")] = 4566,
    region: Annotated[str, typer.Option(envvar="MAYFLY_REGION", help="Name of the AWS region to be.")] = "us-east-1",
    account: Annotated[str, typer.Option(envvar="MAYFLY_ACCOUNT", help="Account id, 12 digits.")] = "000000000000",
    isolation: Annotated[
        str,
        typer.Option(
            envvar="MAYFLY_ISOLATION",
            help="How functions that ask for no level are isolated: [bold]namespace[/], [bold]container[/] (crun or "
            "runc), [bold]gvisor[/] (runsc), the name of an --oci-runtime, or [bold]process[/] "
            "(no isolation at all, for development where namespaces cannot be had).",
        ),
    ] = "namespace",
    require_level: Annotated[
        str | None,
        typer.Option(
            envvar="MAYFLY_REQUIRE_LEVEL",
            help="The weakest level of isolation that any function may run at: one that asks for less is refused, one "
            "that asks for nothing gets this. See [bold]mayfly level[/] for an account's own.",
        ),
    ] = None,
    egress: Annotated[
        str,
        typer.Option(
            envvar="MAYFLY_EGRESS",
            help="What functions may reach that say nothing of it by the tag mayfly:egress: [bold]none[/], "
            "[bold]host[/] (what this machine reaches, but not the machine itself), or a list such as "
            "[bold]db.example.com:5432 *.example.org:443 10.0.0.5:6379[/].",
        ),
    ] = "none",
    oci_runtime: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MAYFLY_OCI_RUNTIMES",
            help="Another OCI runtime, for a level of that name: [bold]NAME=/PATH[/] or "
            "[bold]NAME=/PATH,ARGUMENT,...[/] May be repeated.",
        ),
    ] = None,
    memory: Annotated[
        int | None, typer.Option(envvar="MAYFLY_MEMORY_MB", min=256, help="MB for all instances together.")
    ] = None,
    keep_alive: Annotated[
        str,
        typer.Option(
            envvar="MAYFLY_KEEP_ALIVE",
            help="How long idle instances are kept: [bold]learned[/] from each function's calls, or the same for all: "
            "[bold]fixed[/] (5 minutes) or [bold]fixed:SECONDS[/].",
        ),
    ] = "learned",
    account_concurrency: Annotated[
        int,
        typer.Option(
            envvar="MAYFLY_ACCOUNT_CONCURRENCY",
            min=1,
            max=MOST_CONCURRENCY,
            help="Calls of all functions together that may run at a time.",
        ),
    ] = 1000,
    queue_s: Annotated[
        float,
        typer.Option(
            envvar="MAYFLY_QUEUE_S",
            help="Seconds for which a call waits for memory before it is refused; 0: it never does.",
        ),
    ] = 10.0,
    scaling: Annotated[
        str,
        typer.Option(
            envvar="MAYFLY_SCALING",
            help="How fast the instances of one function may become more: [bold]AT_ONCE:A_SECOND[/], or [bold]any[/].",
        ),
    ] = "1000:100",
    calls_per_concurrency: Annotated[
        float | None,
        typer.Option(
            envvar="MAYFLY_CALLS_PER_CONCURRENCY",
            help="Calls a second allowed for each unit of concurrency; AWS allows 10. Default: any number.",
        ),
    ] = None,
    spares: Annotated[
        int | None,
        typer.Option(
            envvar="MAYFLY_SPARES",
            min=0,
            max=1000,
            help="How many sandboxes are made ahead of calls at most; 0: none. Each takes some megabytes. By default, "
            "as many as 1 % of the machine's memory holds.",
        ),
    ] = None,
    least_cpus: Annotated[
        float,
        typer.Option(
            envvar="MAYFLY_LEAST_CPUS",
            min=0,
            max=6,
            help="Processors that an instance may use, however little memory it has. By default a processor goes with "
            "1,769 MB and less with less, as on AWS; [bold]1[/] suits a machine of one's own.",
        ),
    ] = 0.0,
    workers: Annotated[
        int,
        typer.Option(
            envvar="MAYFLY_WORKERS",
            min=0,
            max=64,
            help="Processes that accept connections and run calls beside the server's own, for machines on which one "
            "core is too little; 0: none.",
        ),
    ] = 0,
    image_directory: Annotated[
        list[Path] | None,
        typer.Option(
            envvar="MAYFLY_IMAGE_DIRECTORIES",
            help="A directory below which an ImageUri may name OCI layouts and archives; may be repeated. By default "
            "there is none.",
        ),
    ] = None,
    registry: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MAYFLY_REGISTRIES",
            help="A registry, [bold]HOST:PORT[/], that images may come from; may be repeated. By default any is asked, "
            "so that who may create functions can have the server speak to any host.",
        ),
    ] = None,
    insecure_registry: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MAYFLY_INSECURE_REGISTRIES",
            help="A registry, [bold]HOST:PORT[/], that may be asked without TLS; may be repeated.",
        ),
    ] = None,
    registry_auth: Annotated[
        Path | None,
        typer.Option(envvar="MAYFLY_REGISTRY_AUTH", help="Credentials for registries, as docker login writes them."),
    ] = None,
    runtime_substitution: Annotated[
        bool,
        typer.Option(
            envvar="MAYFLY_RUNTIME_SUBSTITUTION",
            help="Whether the nearest version of the same language may run functions whose runtime is not installed; "
            "each is warned of it. Without it, such functions cannot be created.",
        ),
    ] = True,
    rules_per_bus: Annotated[
        int,
        typer.Option(
            envvar="MAYFLY_RULES_PER_BUS",
            min=1,
            max=MOST_RULES,
            help="How many rules an event bus may have; AWS gives that many by default.",
        ),
    ] = 300,
    outgoing_allow: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MAYFLY_OUTGOING_ALLOW",
            help="A network, such as [bold]127.0.0.0/8[/], that the platform may send requests of subscriptions, "
            "webhooks and the like to although it is this machine's or its link's; may be repeated. By default those "
            "are refused.",
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once the platform is ready.")] = False,
    options_to: Annotated[int | None, typer.Option(entry.OPTIONS_TO, hidden=True)] = None,
) -> None:
    """Start the platform. Ctrl-C or SIGTERM drains running functions and stops it; a second one stops at once."""
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
        rules_per_bus=rules_per_bus,
        outgoing_allow=tuple(outgoing_allow or ()),
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
    command += [] if options.runtime_substitution else ["--no-runtime-substitution"]
    with directory.server_log.open("ab") as log:
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
            fail(said.removeprefix("mayfly: ") or f"the server ended with status {server.returncode}")
        time.sleep(POLL_S)
    fail(f"the server is not ready after {START_TIMEOUT_S:.0f} s; see {directory.server_log}")
