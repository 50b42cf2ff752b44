"""The application that `mayfly dev` works on: its template, and its stack's functions with what they are made of."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from mayfly.cli import deploying, templates
from mayfly.cli.bundling import is_source
from mayfly.cli.connection import Connection
from mayfly.cli.intents import Intent
from mayfly.cli.output import complaints
from mayfly.cli.stack_progress import StackProgress
from mayfly.cli.swapping import Swapper, name_in_package
from mayfly.errors import CallerError, MayflyError

TEMPLATES = ("template.yaml", "template.yml", "template.json")
# What decides about more than the file itself: dependencies are installed again, by a deployment.
MANIFESTS = frozenset(
    (
        *("requirements.txt", "pyproject.toml", "uv.lock"),
        *("package.json", "package-lock.json", "npm-shrinkwrap.json", "tsconfig.json", "Makefile"),
    )
)
LATEST = "$LATEST"


class NoTemplateError(CallerError):
    """There is nothing to work on."""


class FailedError(MayflyError):
    """The stack could not be brought to where its template is."""

    def __init__(self, summary: str, reasons: list[str]) -> None:
        super().__init__(summary)
        self.reasons = reasons


@dataclass
class LocalFunction:
    """A function whose code is below `root`."""

    label: str  # its name in the template
    name: str
    root: Path
    group: str
    urls: tuple[str, ...] = ()
    swapper: Swapper | None = None
    fixed: str = ""  # why its code cannot be swapped, if it cannot

    def has(self, path: Path) -> bool:
        """Whether a file is of its package, or may be."""
        return path == self.root or name_in_package(path, self.root) is not None


@dataclass
class Application:
    """A template and its stack."""

    connection: Connection
    intent: Intent
    functions: list[LocalFunction] = field(default_factory=list)
    layers: tuple[Path, ...] = ()  # where those are that lie beside the template
    projects: tuple[Path, ...] = ()  # folders above those of functions of which sources may be bundled
    outputs: dict[str, str] = field(default_factory=dict)
    _aliases: dict[tuple[str, str], str] = field(default_factory=dict)  # of a function: the version that it led to

    @property
    def template(self) -> Path:
        """The file of its template."""
        return self.intent.template

    @property
    def name(self) -> str:
        """Of its stack."""
        return self.intent.name

    @property
    def places(self) -> tuple[Path, ...]:
        """What to watch: directories, and files outside of them. The template's own directory, because editors replace
        files."""
        return tuple(
            sorted({*self._told, *self.layers, *self.projects, *(function.root for function in self.functions)})
        )

    @property
    def _told(self) -> tuple[Path, ...]:
        """The files that decide about the whole application."""
        manifest = self.intent.sources.manifest
        return (self.template,) if manifest is None else (self.template, manifest)

    def deploy(self) -> bool:
        """Package everything and make the stack what the template says; whether anything changed. `FailedError`, and
        `MayflyError` for a template or code that cannot be used."""
        body = at_once(templates.load(self.template))
        progress = StackProgress(complaints)
        changed, status = deploying.bring(self.connection, body, self.intent, progress)
        if changed and status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            reasons = [f"{name} ({kind}): {reason}" for name, kind, reason in progress.failures]
            raise FailedError(f"stack {self.name} was not deployed ({status})", reasons)
        self._look(body)
        return changed

    def follow(self) -> None:
        """Have aliases that deployments move lead to what is worked on, until `settle`."""
        functions = self.connection.client("lambda")
        for function, alias in self._published():
            with contextlib.suppress(ClientError):  # one that shares its calls between two versions stays as it is
                leads_to = functions.get_alias(FunctionName=function, Name=alias)["FunctionVersion"]
                if leads_to != LATEST:
                    functions.update_alias(FunctionName=function, Name=alias, FunctionVersion=LATEST)
                    self._aliases[function, alias] = leads_to

    def settle(self) -> None:
        """Deploy the code as it is now, and let nothing stand in for it any more."""
        self.deploy()
        functions = self.connection.client("lambda")
        for (function, alias), version in self._aliases.items():
            if functions.get_alias(FunctionName=function, Name=alias)["FunctionVersion"] == LATEST:
                functions.update_alias(FunctionName=function, Name=alias, FunctionVersion=version)
        self._aliases = {}
        for local in self.functions:
            if local.swapper is not None:
                local.swapper.end()

    def concerned(self, path: Path) -> list[LocalFunction]:
        """The functions that a file is of."""
        return [function for function in self.functions if function.has(path)]

    def decides(self, path: Path) -> bool:
        """Whether a change of that file takes a deployment."""
        if path in self._told or path.name in MANIFESTS:
            return True
        concerned = self.concerned(path)
        if not concerned and self._of_project(path):
            return True
        return self._of_layer(path) or any(function.fixed for function in concerned)

    def minds(self, path: Path) -> bool:
        """Whether a change of that file is one of the application."""
        of_all = path in self._told or self._of_layer(path) or self._of_project(path)
        return of_all or bool(self.concerned(path))

    def _of_layer(self, path: Path) -> bool:
        return any(path == layer or name_in_package(path, layer) is not None for layer in self.layers)

    def _of_project(self, path: Path) -> bool:
        return any(is_source(path, project) for project in self.projects)

    def _look(self, body: dict[str, Any]) -> None:
        """Find the functions of the stack, and what each runs on."""
        cloudformation, functions = self.connection.client("cloudformation"), self.connection.client("lambda")
        stack = cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
        resources = cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        names = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for one in resources
            if one["ResourceType"] == "AWS::Lambda::Function" and one.get("PhysicalResourceId")
        }
        codes = list(templates.local_code(body, self.template.parent, self.intent.sources))
        self.functions = [
            self._local(functions, code, names[code.logical_id]) for code in codes if code.logical_id in names
        ]
        layers = templates.layers(body)
        self.layers = tuple(code.path for code in codes if code.logical_id in layers)
        self.projects = tuple({code.project for code in codes if code.project is not None})

    def _local(self, client: Any, code: templates.LocalCode, name: str) -> LocalFunction:
        label, root = code.logical_id, code.path
        configuration = client.get_function_configuration(FunctionName=name)
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
        urls = tuple(
            one["FunctionUrl"] for one in client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
        )
        made = LocalFunction(label, name, root, group, urls)
        if not root.is_dir():
            made.fixed = "its code is one file"
            return made
        if code.wanted.maker:
            made.fixed = f"{code.wanted.maker} makes its package"
            return made
        try:
            made.swapper = Swapper.begin(self.connection, name, root)
        except MayflyError as error:
            made.fixed = str(error)
        return made

    def _published(self) -> Iterable[tuple[str, str]]:
        """Functions, and the aliases that each deployment leads to a new version."""
        body = templates.load(self.template)
        shared = body.get("Globals", {}).get("Function", {}).get("AutoPublishAlias")
        for function in self.functions:
            alias = body["Resources"][function.label].get("Properties", {}).get("AutoPublishAlias", shared)
            if isinstance(alias, str):
                yield function.name, alias


def at_once(body: dict[str, Any]) -> dict[str, Any]:
    """The template with nothing in it that has calls wait for new code: what is shifted by steps is shifted in one."""
    resources = {name: _at_once(resource) for name, resource in body["Resources"].items()}
    shared = body.get("Globals", {}).get("Function")
    if not isinstance(shared, dict):
        return {**body, "Resources": resources}
    function = _at_once({"Properties": shared})["Properties"]
    return {**body, "Globals": {**body["Globals"], "Function": function}, "Resources": resources}


def _at_once(resource: dict[str, Any]) -> dict[str, Any]:
    properties = resource.get("Properties")
    preference = properties.get("DeploymentPreference") if isinstance(properties, dict) else None
    if not isinstance(preference, dict):
        return resource
    return {
        **resource,
        "Properties": {**resource["Properties"], "DeploymentPreference": {**preference, "Type": "AllAtOnce"}},
    }


def find_template(place: Path) -> Path:
    """The template that `place` is, or holds; `NoTemplateError`."""
    if place.is_file():
        return place.resolve()
    for name in TEMPLATES:
        if (place / name).is_file():
            return (place / name).resolve()
    raise NoTemplateError(f"there is no template at {place}: looked for {', '.join(TEMPLATES)}")
