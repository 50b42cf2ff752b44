"""`mayfly build`: packages with all that they depend on, the same bytes from the same source, and what is large."""

import os
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.table import Table

from mayfly.app.directory import DataDirectory
from mayfly.cli import beside, deploying, intents, samconfig, templates
from mayfly.cli.hints import DEFAULT_DATA
from mayfly.cli.options import (
    TEMPLATE,
    ConfigFileOption,
    ConfigOption,
    DataOption,
    JsonOption,
    OverridesOption,
    TemplateArgument,
)
from mayfly.cli.output import complaints, console, escape, fail, failures_in_one_line, megabytes, print_json
from mayfly.cli.packaging import Package, file_digest
from mayfly.cli.sam_pairs import pairs
from mayfly.cli.samconfig import Choice
from mayfly.cli.sources import Sources
from mayfly.cli.stack_progress import StackProgress
from mayfly.cli.templates import LocalCode

BUILD = Path(".mayfly") / "build"  # beside the template
MOST_BYTES = 250 << 20  # unzipped, of a function with its layers
_NEAR = 0.8


@dataclass(frozen=True, slots=True)
class Built:
    """A package, and what there is to say of it."""

    logical_id: str
    place: Path
    sha256: str
    files: int
    unzipped: int
    zipped: int
    largest: tuple[tuple[str, int], ...]  # dependencies, by the bytes of their files
    warnings: tuple[str, ...]


def build(
    template: TemplateArgument = None,
    build_dir: Annotated[
        Path | None, typer.Option(help="Where to put packages and their template; by default .mayfly/build beside it.")
    ] = None,
    from_source: Annotated[
        bool,
        typer.Option(
            "--from-source",
            help="Run what builds distributions that have no wheel, and install scripts of npm packages.",
        ),
    ] = False,
    parameter_overrides: OverridesOption = None,
    config_file: ConfigFileOption = None,
    config_env: ConfigOption = None,
    data: DataOption = DEFAULT_DATA,
    json_output: JsonOption = False,
) -> None:
    """Make the packages of an application, with what requirements.txt, uv.lock or package-lock.json name.

    Made for Linux and the runtime of each function. The same source gives the same bytes. What is left is a template
    that [bold]mayfly deploy[/] takes, with the packages beside it.
    """
    progress = StackProgress(complaints)
    with failures_in_one_line():
        choice = Choice(config_file, config_env)
        place = intents.template_of(template, choice, "build").resolve()
        section = samconfig.read(place.parent, choice, "build")
        target = (build_dir or section.place("build_dir") or place.parent / BUILD).absolute()
        make = deploying.packagers(DataDirectory(data).runtimes, here=False, from_source=from_source)
        sources = intents.sources_of(place, choice, pairs(parameter_overrides))
        maker = Builder(make, progress, sources, frozenset(section.texts("exclude")))
        with progress.shown():
            made = maker.make(place, target)
    built, sums = made.built, made.sums
    if json_output:
        print_json({"template": str(made.template), "packages": [_plain(one, sums) for one in built]})
    else:
        _report(built, sums)
    if too_large := [name for name, size in sums.items() if size > MOST_BYTES]:
        fail(f"{', '.join(too_large)}: more than the {MOST_BYTES >> 20} MB that a function may have with its layers")
    if not json_output:
        shown = os.path.relpath(made.template)
        complaints.print(f"next: mayfly deploy {escape(str(made.template) if shown.startswith('..') else shown)}")


@dataclass(frozen=True, slots=True)
class Made:
    """What was built of one template, and of those that it names."""

    template: Path  # the one that names what was built
    built: list[Built]
    sums: dict[str, int]  # of each package the bytes that count against the limit


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes what templates name. `excluded`: the logical ids of resources whose code stays as it lies there."""

    packagers: templates.Packagers
    progress: StackProgress
    sources: Sources
    excluded: frozenset[str]

    def make(self, template: Path, target: Path, outer: tuple[Path, ...] = ()) -> Made:
        """Build a template, which `outer` name, into the folder `target`; `MayflyError`."""
        if template in outer:
            raise templates.TemplateFileError(f"{template} names itself as a nested template")
        built: list[Built] = []
        nested: dict[str, int] = {}

        def moved(place: beside.Place) -> str:
            if place.kind == "document":
                return os.path.relpath(place.path, target)
            inner = self.make(place.path, target / place.logical_id, (*outer, template))
            built.extend(replace(one, logical_id=f"{place.logical_id}/{one.logical_id}") for one in inner.built)
            nested.update({f"{place.logical_id}/{name}": size for name, size in inner.sums.items()})
            return os.path.relpath(inner.template, target)

        target.mkdir(parents=True, exist_ok=True)
        body = beside.mapped(templates.load(template), template.parent, moved)
        body, own = self._packaged(body, template, target)
        made = target / TEMPLATE
        made.write_text(yaml.safe_dump(body, sort_keys=False, width=120), encoding="utf-8")
        _forget_others(target, own)
        return Made(made, [*built, *own], {**nested, **dict(totals(body, own))})

    def _packaged(self, body: dict[str, Any], template: Path, target: Path) -> tuple[dict[str, Any], list[Built]]:
        """A template with its code packaged in `target`, and the packages."""
        codes = list(templates.local_code(body, template.parent, self.sources))
        resources, shared = dict(body["Resources"]), templates.functions_share(body)
        for code in codes:
            if code.logical_id in self.excluded:
                place = os.path.relpath(code.path, target)
                resources[code.logical_id] = templates.moved(resources[code.logical_id], place)
        codes = [code for code in codes if code.logical_id not in self.excluded]
        own = []
        for code, package in zip(codes, templates.packaged(codes, self.packagers, self.progress.step), strict=True):
            own.append(_put(code, package, target))
            self.progress.step(code.logical_id, "packaged")
            resource = templates.placed(resources[code.logical_id], own[-1].place.name, code, package, shared)
            resources[code.logical_id] = _done(resource)
        return {**body, "Resources": resources}, own


def totals(body: Mapping[str, Any], built: Iterable[Built]) -> Iterable[tuple[str, int]]:
    """Of each package the bytes that count against the limit: of a function, with the layers that are built here."""
    sizes = {one.logical_id: one.unzipped for one in built}
    shared = body.get("Globals", {}).get("Function", {}).get("Layers", [])
    for name, size in sizes.items():
        layers = body["Resources"][name].get("Properties", {}).get("Layers", [])
        named = [*(shared if isinstance(shared, list) else []), *(layers if isinstance(layers, list) else [])]
        refs = {one["Ref"] for one in named if isinstance(one, dict) and isinstance(one.get("Ref"), str)}
        yield name, size + sum(sizes.get(ref, 0) for ref in refs)


def _put(code: LocalCode, package: Package, target: Path) -> Built:
    place = target / f"{code.logical_id}.zip"
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.copyfile(package.path, draft)
    draft.replace(place)
    with zipfile.ZipFile(place) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    return Built(
        code.logical_id,
        place,
        file_digest(place),
        len(infos),
        sum(info.file_size for info in infos),
        place.stat().st_size,
        package.largest,
        package.warnings,
    )


def _done(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource whose package is built, so that nobody builds it again."""
    metadata = resource.get("Metadata")
    if not isinstance(metadata, dict) or "BuildMethod" not in metadata:
        return resource
    rest = {key: value for key, value in metadata.items() if not key.startswith("Build")}
    kept = {key: value for key, value in resource.items() if key != "Metadata"}
    return {**kept, "Metadata": rest} if rest else kept


def _forget_others(target: Path, built: Iterable[Built]) -> None:
    """Packages of resources that the template has no more."""
    current = {one.place for one in built}
    for path in target.glob("*.zip"):
        if path not in current:
            path.unlink()


def _plain(one: Built, sums: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": one.logical_id,
        "path": str(one.place),
        "sha256": one.sha256,
        "files": one.files,
        "unzipped_bytes": one.unzipped,
        "zipped_bytes": one.zipped,
        "with_layers_bytes": sums[one.logical_id],
        "largest": [{"name": name, "bytes": size} for name, size in one.largest],
        "warnings": list(one.warnings),
    }


def _report(built: Iterable[Built], sums: Mapping[str, int]) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Package", overflow="fold")
    for title in ("Files", "Unzipped", "Zipped", "Of the limit"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Largest dependencies", overflow="fold")
    for one in built:
        share = sums[one.logical_id] / MOST_BYTES
        style = "red" if share > 1 else "yellow" if share > _NEAR else ""
        table.add_row(
            escape(one.logical_id),
            f"{one.files:,}",
            megabytes(one.unzipped),
            megabytes(one.zipped),
            f"[{style}]{share:.0%}[/]" if style else f"{share:.0%}",
            escape(", ".join(f"{name} {megabytes(size)}" for name, size in one.largest)),
        )
    console.print(table)
    for one in built:
        for warning in one.warnings:
            complaints.print(f"[yellow]{escape(one.logical_id)}[/]: {escape(warning)}")
        if _NEAR < (share := sums[one.logical_id] / MOST_BYTES) <= 1:
            told = f"{share:.0%} of the {MOST_BYTES >> 20} MB that a function may have with its layers"
            complaints.print(f"[yellow]{escape(one.logical_id)}[/]: {told}")
