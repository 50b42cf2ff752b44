"""What a build or a deployment is to be: as options say, or else the configuration file that SAM's command line keeps.

Of that file's parameters, those of `build` count for every packaging, because a deployment packages, too; those of
`deploy` for stacks; those of `sync` before them for `mayfly dev`. What nobody can have here is refused by its name.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from mayfly.app.local import INERT_TAG
from mayfly.cli import sam_pairs, samconfig
from mayfly.cli.options import DEFAULT_TEMPLATE
from mayfly.cli.output import fail
from mayfly.cli.sam_pairs import SamConfigError
from mayfly.cli.samconfig import USUAL, Choice, Section
from mayfly.cli.sources import ALL_BESIDE, Sources

OnFailure = Literal["ROLLBACK", "DELETE", "DO_NOTHING"]
_NO_CONTAINERS = "packages are built without containers, in the environment of the command"
REFUSED_BUILDS: Mapping[str, str] = MappingProxyType(
    {
        "hook_name": "Mayfly builds templates, not projects of Terraform",
        "container_env_var": _NO_CONTAINERS,
        "container_env_var_file": _NO_CONTAINERS,
    }
)
REFUSED_DEPLOYMENTS: Mapping[str, str] = MappingProxyType(
    {
        "signing_profiles": "packages are signed by AWS Signer, with keys that AWS alone has",
        "no_execute_changeset": "`mayfly diff` shows what would change, and changes nothing",
    }
)


@dataclass(frozen=True, slots=True)
class Intent:
    """A deployment."""

    template: Path
    name: str  # of the stack
    values: Mapping[str, str] = field(default_factory=dict)  # of parameters
    tags: Mapping[str, str] = field(default_factory=dict)
    sources: Sources = ALL_BESIDE
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the stack, as requests have them
    on_failure: OnFailure = "ROLLBACK"
    insists: bool = False  # a deployment that changes nothing is a failure


def template_of(given: Path | None, choice: Choice, *commands: str) -> Path:
    """The template that is meant: what is given, or else what the file in this folder says for one of `commands`, or
    else the usual one. `SamConfigError`."""
    if given is not None:
        return given
    section = samconfig.read(Path.cwd(), choice, *commands)
    found = section.place("template_file")
    if found is not None and not found.exists():
        raise SamConfigError(f"there is no {found}, the template_file of {section.path}")
    return found or DEFAULT_TEMPLATE


def sources_of(template: Path, choice: Choice, values: Mapping[str, str], *commands: str) -> Sources:
    """Where code lies that is to be packaged, and what it depends on, as the file says for builds and for `commands`;
    of what is built already, as it is. `values`: of parameters, before those of the file. `SamConfigError`."""
    folder = samconfig.application(template)
    if folder != template.resolve().parent:
        return ALL_BESIDE
    section = samconfig.read(folder, choice, "build", *commands)
    section.refuse(REFUSED_BUILDS)
    told = {**section.pairs("parameter_overrides"), **values}
    return Sources(section.place("base_dir"), folder, section.place("manifest"), told)


def intended(
    template: Path,
    choice: Choice = USUAL,
    *,
    stack_name: str | None = None,
    parameter: list[str] | None = None,
    overrides: list[str] | None = None,
    tags: list[str] | None = None,
    accept_inert: list[str] | None = None,
    syncs: bool = False,
) -> Intent:
    """The deployment of `template`. `syncs`: what the file says for `sync` counts before what it says for `deploy`.
    `MayflyError`."""
    commands = ("deploy", "sync") if syncs else ("deploy",)
    section = samconfig.read(samconfig.application(template), choice, *commands)
    section.refuse(REFUSED_DEPLOYMENTS)
    values = {**section.pairs("parameter_overrides"), **sam_pairs.pairs(overrides), **parameters(parameter)}
    return Intent(
        template,
        stack_name or section.text("stack_name") or default_name(template),
        values,
        {**section.pairs("tags"), **sam_pairs.pairs(tags), **inert_tags(accept_inert)},
        sources_of(template, choice, values, *(("sync",) if syncs else ())),
        _settings(section),
        _on_failure(section),
        section.flag("fail_on_empty_changeset") is True,
    )


def name_of(template: Path, choice: Choice = USUAL) -> str:
    """The name of the stack that a template is deployed as where none is given, as deletions know it. `MayflyError`."""
    section = samconfig.read(samconfig.application(template), choice, "deploy", "delete")
    return section.text("stack_name") or default_name(template)


def default_name(template: Path) -> str:
    """The name of the template's folder, made fit for a stack: letters, digits and hyphens, a letter first. Of what
    `mayfly build` left, that of the folder which was built."""
    folder = samconfig.application(template)
    words = re.sub(r"[^A-Za-z0-9]+", "-", folder.name).strip("-")[:100]
    return words if words[:1].isalpha() else f"stack-{words}".rstrip("-")


def inert_tags(accepted: list[str] | None) -> dict[str, str]:
    """The tags of a stack that say what `--accept-inert` was given."""
    return {INERT_TAG: " ".join(accepted)} if accepted else {}


def parameters(given: Iterable[str] | None) -> dict[str, str]:
    """What `--parameter` was given."""
    return dict(_key_value(item) for item in given or [])


def _settings(section: Section) -> dict[str, Any]:
    role = section.text("role_arn")
    topics = [arn for told in section.texts("notification_arns") for arn in re.split(r"[\s,]+", told) if arn]
    return ({"RoleARN": role} if role else {}) | ({"NotificationARNs": topics} if topics else {})


def _on_failure(section: Section) -> OnFailure:
    told, kept = section.text("on_failure"), section.flag("disable_rollback")
    if told is not None and kept:
        raise SamConfigError(f"{section.path} may have either on_failure or disable_rollback, not both")
    for known in get_args(OnFailure):
        if told == known:
            return known  # type: ignore[no-any-return]  # an argument of a Literal is of its type
    if told is not None:
        raise SamConfigError(
            f"on_failure of {section.path} has to be one of {', '.join(get_args(OnFailure))}, not {told!r}"
        )
    return "DO_NOTHING" if kept else "ROLLBACK"


def _key_value(item: str) -> tuple[str, str]:
    key, separator, value = item.partition("=")
    if not separator or not key:
        fail(f"--parameter takes KEY=VALUE, not {item!r}")
    return key, value
