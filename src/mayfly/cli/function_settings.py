"""Lines of `mayfly function` about what a function's author has chosen."""

from collections.abc import Iterator
from typing import Any

from mayfly.cli.output import counted


def lines(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and text; what is as it is without anybody's choice is left out, but for where logs go."""
    yield "Logs", _logs(settings["logging"])
    if settings["tracing"] != "PassThrough":
        yield "Tracing", "active: a call a second and 5 % of the others are sampled, unless their callers decided"
    if error := settings["variables"]["error"]:
        yield "Variables", error
    elif names := settings["variables"]["names"]:
        yield "Variables", f"{', '.join(names)}; encrypted at rest"
    if settings["runtime_updates"] not in (None, "Auto"):
        yield "Updates", f"{settings['runtime_updates']}, of the one version of the runtime that this machine has"
    if durable := settings["durable"]:
        lasting, kept = durable["ExecutionTimeout"], durable["RetentionPeriodInDays"]
        yield (
            "Durable",
            f"an execution lasts at most {lasting:,} s, and is kept for {counted(kept, 'day')} after its end",
        )
    if settings["tenancy"] == "PER_TENANT":
        yield "Tenants", "an instance serves one tenant and never another"
    if signing := settings["code_signing"]:
        yield "Code signing", signing
    if statements := settings["policy"]["statements"]:
        denying = settings["policy"]["denying"]
        denies = f", {denying} of which {'denies' if denying == 1 else 'deny'}" if denying else ""
        yield "Policy", f"{statements} statement{'' if statements == 1 else 's'}{denies}"


def _logs(logging: dict[str, Any]) -> str:
    if logging["format"] != "JSON":
        return f"text, in {logging['group']}"
    levels = f"the function's from {logging['application_level']}, the platform's from {logging['system_level']}"
    return f"JSON, {levels}, in {logging['group']}"
