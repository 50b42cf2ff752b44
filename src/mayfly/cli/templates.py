"""A template before it is sent: local code is packaged and uploaded, and the template points to the uploads.

What `aws cloudformation package` does for SAM functions, with requirements installed. Only the properties that hold
local paths are touched; the server parses and checks the rest.
"""

import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from mayfly.app.local import parse_template
from mayfly.cli.bundles import ESBUILD, bundle_of, bundled, source_map_warning
from mayfly.cli.bundling import project_of
from mayfly.cli.dependencies import Architecture
from mayfly.cli.making import Making
from mayfly.cli.options import OTHER_NAMES, TEMPLATE
from mayfly.cli.output import complaints, escape
from mayfly.cli.packaging import Package, Packager, Report, Wanted, file_digest
from mayfly.cli.sources import ALL_BESIDE, Sources
from mayfly.errors import CallerError

ARTIFACTS = "mayfly-artifacts"

# The property of each kind of layer that says what is in it.
_CONTENT = {"AWS::Serverless::LayerVersion": "ContentUri", "AWS::Lambda::LayerVersion": "Content"}
_SAM = ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion")  # which say where it is in one word

MAKE, GO = "makefile", "go1.x"  # the BuildMethods that have a program make the package
_LANGUAGES = ("python", "nodejs")  # whose layers Mayfly builds
_ELSEWHERE = ("rust-", "dotnet", "java")  # BuildMethods of functions that need what Mayfly does not run
_FUNCTIONS = ("AWS::Serverless::Function", "AWS::Lambda::Function")
_AT_ONCE = 4  # packages

Packagers = Callable[[Report], Packager]
Say = Callable[[str, str], None]  # a resource's logical id, what is done for it


class TemplateFileError(CallerError):
    """The template file cannot be used."""


@dataclass(frozen=True, slots=True)
class LocalCode:
    """A function, or a layer, whose code lies beside the template."""

    logical_id: str
    wanted: Wanted
    warnings: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.wanted.source

    @property
    def project(self) -> Path | None:
        """The folder above that what is bundled may come from, too; None: from nowhere else."""
        if self.wanted.bundle is None or self.wanted.top is None:
            return None
        found = project_of(self.path, self.wanted.top)
        return None if found == self.path else found


def load(path: Path) -> dict[str, Any]:
    """The template in the file at `path`, short tags in their long form. Where that has the usual name and is not
    there, one of its other usual names."""
    if path.name == TEMPLATE and not path.exists():
        others = (path.with_name(name) for name in OTHER_NAMES)
        path = next((other for other in others if other.exists()), path)
    try:
        template: dict[str, Any] = parse_template(path.read_text(encoding="utf-8"), _warned(path))
    except FileNotFoundError as error:
        begin = " here; `mayfly init` begins an application" if path == Path(TEMPLATE) else ""
        raise TemplateFileError(f"there is no {path}{begin}") from error
    except IsADirectoryError as error:
        raise TemplateFileError(f"{path} is a folder; name the template in it: {path / TEMPLATE}") from error
    except OSError as error:
        raise TemplateFileError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeError as error:
        raise TemplateFileError(f"cannot read {path}: it is not UTF-8 text") from error
    if not isinstance(template.get("Resources"), dict):
        raise TemplateFileError(f"{path} has no Resources section")
    return template


def _warned(path: Path) -> Callable[[str], None]:
    def repeated(key: str) -> None:
        complaints.print(f"[yellow]{escape(path.name)}[/]: {escape(key)} stands twice in one object; the last counts")

    return repeated


def local_code(template: dict[str, Any], folder: Path, sources: Sources = ALL_BESIDE) -> Iterator[LocalCode]:
    """The functions and layers of `template` that name local code; paths are relative to `folder`, where it lies, or
    to what stands in for that."""
    base, finished = sources.folder(folder), built_by_sam(folder)
    shared = sources.known(template, functions_share(template))
    for logical_id, resource in template["Resources"].items():
        kind = resource.get("Type")
        if kind not in _CONTENT and kind not in _FUNCTIONS:
            continue
        properties = sources.known(template, resource.get("Properties") or {})
        resource = {**resource, "Properties": properties}
        if kind in _CONTENT:
            yield from _local_layer(logical_id, resource, base, finished)
            continue
        told = shared if kind in _SAM else {}
        code = (
            properties.get("CodeUri", told.get("CodeUri", _beside(properties)))
            if kind in _SAM
            else properties.get("Code")
        )
        if isinstance(code, str) and not code.startswith("s3://"):
            wanted = Wanted((base / code).resolve(), finished=finished, manifest=sources.manifest)
            yield _local_function(logical_id, resource, told, wanted, base.resolve())


def functions_share(template: dict[str, Any]) -> dict[str, Any]:
    """What the Globals of a template say of all functions."""
    found = (template.get("Globals") or {}).get("Function")
    return found if isinstance(found, dict) else {}


def _local_function(
    logical_id: str, resource: dict[str, Any], shared: dict[str, Any], wanted: Wanted, folder: Path
) -> LocalCode:
    properties, method = resource.get("Properties", {}), _method(resource)
    runtime = str(properties.get("Runtime", shared.get("Runtime")) or "")
    wanted = replace(
        wanted,
        runtime=runtime,
        architecture=_architecture(properties.get("Architectures", shared.get("Architectures"))),
        top=folder if folder in wanted.source.parents else None,
    )
    if wanted.finished or not wanted.source.is_dir():
        return LocalCode(logical_id, wanted)
    if method == ESBUILD:
        bundle = bundle_of(logical_id, resource["Metadata"], properties, shared)
        told = source_map_warning(bundle, properties, shared)
        return LocalCode(logical_id, replace(wanted, bundle=bundle), (told,) if told else ())
    if method == MAKE:
        return LocalCode(logical_id, replace(wanted, making=_making(logical_id, resource, folder)))
    if method == GO:
        name = "bootstrap" if runtime.startswith("provided") else str(properties.get("Handler", "bootstrap"))
        return LocalCode(logical_id, replace(wanted, making=Making("go", name, architecture=wanted.architecture)))
    if method.startswith(_ELSEWHERE):
        raise _not_carried_out(logical_id, method)
    return LocalCode(logical_id, wanted)


def _making(logical_id: str, resource: dict[str, Any], folder: Path) -> Making:
    """What a Makefile is asked for; paths in the Metadata are relative to `folder`."""
    told = {key: resource.get("Metadata", {}).get(key) for key in ("ContextPath", "WorkingDirectory")}
    context, where = (
        (folder / path).resolve() if isinstance(path, str) else None
        for path in (told["ContextPath"], told["WorkingDirectory"])
    )
    return Making("make", f"build-{logical_id}", context, where)


def built_by_sam(folder: Path) -> bool:
    """Whether a folder is where `sam build` leaves a template, and what it is made of, finished."""
    return folder.resolve().parts[-2:] == (".aws-sam", "build")


def _not_carried_out(logical_id: str, method: str) -> TemplateFileError:
    return TemplateFileError(
        f"{logical_id} has the BuildMethod {method}, which Mayfly does not carry out: build it, for example "
        "with `sam build`, and deploy what came of that, or have a Makefile build it (BuildMethod: makefile)"
    )


def _beside(properties: dict[str, Any]) -> str | None:
    """Where SAM looks for the code of a function that says nothing of it: beside the template."""
    told = "InlineCode" in properties or "ImageUri" in properties or properties.get("PackageType") == "Image"
    return None if told else "."


def layers(template: dict[str, Any]) -> frozenset[str]:
    """The logical ids of layers."""
    return frozenset(name for name, resource in template["Resources"].items() if resource.get("Type") in _CONTENT)


def _method(resource: dict[str, Any]) -> str:
    """How it is to be built, where that is not told by its runtime."""
    metadata = resource.get("Metadata")
    return str(metadata.get("BuildMethod", "")) if isinstance(metadata, dict) else ""


def _architecture(named: object) -> Architecture:
    return "arm64" if named in ("arm64", ["arm64"]) else "x86_64"


def _local_layer(logical_id: str, resource: dict[str, Any], folder: Path, finished: bool) -> Iterator[LocalCode]:
    """A layer's content as it lies there, with `requirements.txt` installed where Python looks in layers; or, with a
    `BuildMethod` that was not carried out yet, all of it where its language looks, as SAM does it."""
    properties = resource.get("Properties", {})
    content = properties.get(_CONTENT[resource["Type"]])
    if not isinstance(content, str) or content.startswith("s3://"):
        return
    path = (folder / content).resolve()
    architecture = _architecture(resource.get("Metadata", {}).get("BuildArchitecture"))
    method = _method(resource)
    language = method.rstrip("0123456789.x")
    if finished:
        yield LocalCode(logical_id, Wanted(path, "", architecture, finished=True))
        return
    if method == MAKE:
        yield LocalCode(logical_id, Wanted(path, "", architecture, making=_making(logical_id, resource, folder)))
        return
    if method and not (path / language).is_dir():
        if language not in _LANGUAGES:
            raise _not_carried_out(logical_id, method)
        yield LocalCode(logical_id, Wanted(path, method, architecture, below=language))
        return
    named = [method, *properties.get("CompatibleRuntimes", ())]
    runtime = next((str(one) for one in named if str(one).startswith("python")), "")
    yield LocalCode(logical_id, Wanted(path, runtime, architecture, dependencies_below="python"))


def packaged(codes: list[LocalCode], packager: Packagers, say: Say) -> list[Package]:
    """The packages of all, in their order; a few are made at once, so `say` is called from several threads. What fails
    first, in their order, is raised."""

    def package(code: LocalCode) -> Package:
        made = packager(functools.partial(say, code.logical_id)).package(code.wanted)
        return replace(made, warnings=(*code.warnings, *made.warnings))

    pool = ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1), thread_name_prefix="package")
    try:
        return list(pool.map(package, codes))
    finally:
        pool.shutdown(cancel_futures=True)


def with_uploads(
    template: dict[str, Any], codes: list[LocalCode], s3: Any, bucket: str, packager: Packagers, say: Say
) -> dict[str, Any]:
    """`template` with every local code packaged, uploaded to `bucket` if it is not there yet, and referred to."""
    resources, shared = dict(template["Resources"]), functions_share(template)
    for code, package in zip(codes, packaged(codes, packager, say), strict=True):
        for warning in package.warnings:
            say(code.logical_id, warning)
        key = f"{file_digest(package.path)}.zip"
        if not exists(s3, bucket, key):
            say(code.logical_id, "uploading")
            s3.upload_file(str(package.path), bucket, key)
        say(code.logical_id, "packaged")
        resource = resources[code.logical_id]
        place = f"s3://{bucket}/{key}" if resource["Type"] in _SAM else {"S3Bucket": bucket, "S3Key": key}
        resources[code.logical_id] = placed(resource, place, code, package, shared)
    return {**template, "Resources": resources}


def placed(
    resource: dict[str, Any], place: object, code: LocalCode, package: Package, shared: dict[str, Any]
) -> dict[str, Any]:
    """A function or a layer whose code is packaged and lies somewhere else."""
    if code.wanted.bundle is not None:
        told = shared if resource["Type"] in _SAM else {}
        resource = bundled(resource, code.wanted.bundle, package.handler, told)
    return moved(resource, place)


def moved(resource: dict[str, Any], place: object) -> dict[str, Any]:
    """A function or a layer whose code lies somewhere else."""
    kind = resource["Type"]
    member = _CONTENT.get(kind) or ("CodeUri" if kind in _SAM else "Code")
    return {**resource, "Properties": {**(resource.get("Properties") or {}), member: place}}


def artifact_bucket(s3: Any, account: str, region: str) -> str:
    """The bucket for uploads, made if it is not there."""
    bucket = f"{ARTIFACTS}-{account or 'default'}-{region}"
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
    return bucket


def exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether an object is there."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        return False
    return True
