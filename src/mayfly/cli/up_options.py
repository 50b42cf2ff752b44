"""The options of `mayfly up`, one a name: what each is called in the environment, its bounds, and what it is for."""

from pathlib import Path
from typing import Annotated

import typer

from mayfly.app.options import MOST_CONCURRENCY, MOST_RULES
from mayfly.cli import entry

Host = Annotated[str, typer.Option(envvar="MAYFLY_HOST", help="Address to listen on.")]
Port = Annotated[int, typer.Option(envvar="MAYFLY_PORT", min=0, max=65535, help="Port; 0 takes a free one.")]
Region = Annotated[str, typer.Option(envvar="MAYFLY_REGION", help="Name of the AWS region to be.")]
Account = Annotated[str, typer.Option(envvar="MAYFLY_ACCOUNT", help="Account id, 12 digits.")]
Isolation = Annotated[
    str,
    typer.Option(
        envvar="MAYFLY_ISOLATION",
        help="How functions that ask for no level are isolated: [bold]namespace[/], [bold]container[/] (crun or "
        "runc), [bold]gvisor[/] (runsc), the name of an --oci-runtime, or [bold]process[/] "
        "(no isolation at all, for development where namespaces cannot be had).",
    ),
]
RequireLevel = Annotated[
    str | None,
    typer.Option(
        envvar="MAYFLY_REQUIRE_LEVEL",
        help="The weakest level of isolation that any function may run at: one that asks for less is refused, one "
        "that asks for nothing gets this. See [bold]mayfly level[/] for an account's own.",
    ),
]
Egress = Annotated[
    str,
    typer.Option(
        envvar="MAYFLY_EGRESS",
        help="What functions may reach that say nothing of it by the tag mayfly:egress: [bold]none[/], "
        "[bold]host[/] (what this machine reaches, but not the machine itself), or a list such as "
        "[bold]db.example.com:5432 *.example.org:443 10.0.0.5:6379[/].",
    ),
]
OciRuntime = Annotated[
    list[str] | None,
    typer.Option(
        envvar="MAYFLY_OCI_RUNTIMES",
        help="Another OCI runtime, for a level of that name: [bold]NAME=/PATH[/] or "
        "[bold]NAME=/PATH,ARGUMENT,...[/] May be repeated.",
    ),
]
Memory = Annotated[int | None, typer.Option(envvar="MAYFLY_MEMORY_MB", min=256, help="MB for all instances together.")]
KeepAlive = Annotated[
    str,
    typer.Option(
        envvar="MAYFLY_KEEP_ALIVE",
        help="How long idle instances are kept: [bold]learned[/] from each function's calls, or the same for all: "
        "[bold]fixed[/] (5 minutes) or [bold]fixed:SECONDS[/].",
    ),
]
AccountConcurrency = Annotated[
    int,
    typer.Option(
        envvar="MAYFLY_ACCOUNT_CONCURRENCY",
        min=1,
        max=MOST_CONCURRENCY,
        help="Calls of all functions together that may run at a time.",
    ),
]
QueueS = Annotated[
    float,
    typer.Option(
        envvar="MAYFLY_QUEUE_S",
        help="Seconds for which a call waits for memory before it is refused; 0: it never does.",
    ),
]
Scaling = Annotated[
    str,
    typer.Option(
        envvar="MAYFLY_SCALING",
        help="How fast the instances of one function may become more: [bold]AT_ONCE:A_SECOND[/], or [bold]any[/].",
    ),
]
CallsPerConcurrency = Annotated[
    float | None,
    typer.Option(
        envvar="MAYFLY_CALLS_PER_CONCURRENCY",
        help="Calls a second allowed for each unit of concurrency; AWS allows 10. Default: any number.",
    ),
]
Spares = Annotated[
    int | None,
    typer.Option(
        envvar="MAYFLY_SPARES",
        min=0,
        max=1000,
        help="How many sandboxes are made ahead of calls at most; 0: none. Each takes some megabytes. By default, "
        "as many as 1 % of the machine's memory holds.",
    ),
]
LeastCpus = Annotated[
    float,
    typer.Option(
        envvar="MAYFLY_LEAST_CPUS",
        min=0,
        max=6,
        help="Processors that an instance may use, however little memory it has. By default a processor goes with "
        "1,769 MB and less with less, as on AWS; [bold]1[/] suits a machine of one's own.",
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        envvar="MAYFLY_WORKERS",
        min=0,
        max=64,
        help="Processes that accept connections and run calls beside the server's own, for machines on which one "
        "core is too little; 0: none.",
    ),
]
ImageDirectory = Annotated[
    list[Path] | None,
    typer.Option(
        envvar="MAYFLY_IMAGE_DIRECTORIES",
        help="A directory below which an ImageUri may name OCI layouts and archives; may be repeated. By default "
        "there is none.",
    ),
]
Registry = Annotated[
    list[str] | None,
    typer.Option(
        envvar="MAYFLY_REGISTRIES",
        help="A registry, [bold]HOST:PORT[/], that images may come from; may be repeated. By default any is asked, "
        "so that who may create functions can have the server speak to any host.",
    ),
]
InsecureRegistry = Annotated[
    list[str] | None,
    typer.Option(
        envvar="MAYFLY_INSECURE_REGISTRIES",
        help="A registry, [bold]HOST:PORT[/], that may be asked without TLS; may be repeated.",
    ),
]
RegistryAuth = Annotated[
    Path | None,
    typer.Option(envvar="MAYFLY_REGISTRY_AUTH", help="Credentials for registries, as docker login writes them."),
]
RuntimeSubstitution = Annotated[
    bool,
    typer.Option(
        envvar="MAYFLY_RUNTIME_SUBSTITUTION",
        help="Whether the nearest version of the same language may run functions whose runtime is not installed; "
        "each is warned of it. Without it, such functions cannot be created.",
    ),
]
RetiredRuntimes = Annotated[
    bool,
    typer.Option(
        "--retired-runtimes",
        envvar="MAYFLY_RETIRED_RUNTIMES",
        help="Whether functions may be created whose runtime AWS accepts no longer, such as python3.7 or nodejs16.x: "
        "the nearest version of the same language runs them, and each is warned of it.",
    ),
]
RulesPerBus = Annotated[
    int,
    typer.Option(
        envvar="MAYFLY_RULES_PER_BUS",
        min=1,
        max=MOST_RULES,
        help="How many rules an event bus may have; AWS gives that many by default.",
    ),
]
OutgoingAllow = Annotated[
    list[str] | None,
    typer.Option(
        envvar="MAYFLY_OUTGOING_ALLOW",
        help="A network, such as [bold]127.0.0.0/8[/], that the platform may send requests of subscriptions, "
        "webhooks and the like to although it is this machine's or its link's; may be repeated. By default those "
        "are refused.",
    ),
]
AcceptInert = Annotated[
    list[str] | None,
    typer.Option(
        envvar="MAYFLY_ACCEPT_INERT",
        help="A type of resources that Mayfly has not, such as [bold]AWS::EC2::VPC[/], a service of AWS, such as "
        "[bold]AWS::EC2[/], or [bold]all[/] that only means something inside AWS: stacks may have those, and nothing "
        "is made for them; may be repeated. By default they are refused, unless the stack accepts them itself.",
    ),
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return once the platform is ready.")]
OptionsTo = Annotated[int | None, typer.Option(entry.OPTIONS_TO, hidden=True)]
