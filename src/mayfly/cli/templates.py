"""A template before it is sent: local code is packaged and uploaded, and the template points to the uploads.

What `aws cloudformation package` does for SAM functions, with requirements installed. Only the properties that hold
local paths are touched; the server parses and checks the rest.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from mayfly.app.local import parse_template
from mayfly.cli.packaging import file_digest, package
from mayfly.errors import CallerError

DEFAULT_PYTHON = "3.11"
ARTIFACTS = "mayfly-artifacts"

# The property of each kind of layer that says what is in it.
_CONTENT = {"AWS::Serverless::LayerVersion": "ContentUri", "AWS::Lambda::LayerVersion": "Content"}
_SAM = ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion")  # which say where it is in one word

Say = Callable[[str, str], None]  # a resource's logical id, what is done for it


class TemplateFileError(CallerError):
    """The template file cannot be used."""


@dataclass(frozen=True, slots=True)
class LocalCode:
    """A function, or a layer, whose code lies beside the template."""

    logical_id: str
    path: Path
    python: str
    below: str = ""  # the folder in the zip that all of it goes to
    requirements_below: str = ""  # the same of its requirements alone


def load(path: Path) -> dict[str, Any]:
    """The template in the file at `path`, short tags in their long form."""
    try:
        template: dict[str, Any] = parse_template(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateFileError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeError as error:
        raise TemplateFileError(f"cannot read {path}: it is not UTF-8 text") from error
    if not isinstance(template.get("Resources"), dict):
        raise TemplateFileError(f"{path} has no Resources section")
    return template


def local_code(template: dict[str, Any], folder: Path) -> Iterator[LocalCode]:
    """The functions and layers of `template` that name local code; paths are relative to `folder`."""
    function_globals = template.get("Globals", {}).get("Function", {})
    for logical_id, resource in template["Resources"].items():
        kind, properties = resource.get("Type"), resource.get("Properties", {})
        if kind == "AWS::Serverless::Function":
            code = properties.get("CodeUri", function_globals.get("CodeUri"))
            runtime = properties.get("Runtime", function_globals.get("Runtime"))
        elif kind == "AWS::Lambda::Function":
            code, runtime = properties.get("Code"), properties.get("Runtime")
        elif kind in _CONTENT:
            yield from _local_layer(logical_id, resource, folder)
            continue
        else:
            continue
        if isinstance(code, str) and not code.startswith("s3://"):
            python = str(runtime).removeprefix("python") if str(runtime).startswith("python") else DEFAULT_PYTHON
            yield LocalCode(logical_id, (folder / code).resolve(), python)


def _local_layer(logical_id: str, resource: dict[str, Any], folder: Path) -> Iterator[LocalCode]:
    """A layer's content as it lies there, with `requirements.txt` installed where Python looks in layers; or, with a
    `BuildMethod` of Python that was not carried out yet, all of it there, as SAM does it."""
    properties = resource.get("Properties", {})
    content = properties.get(_CONTENT[resource["Type"]])
    if not isinstance(content, str) or content.startswith("s3://"):
        return
    path = (folder / content).resolve()
    method = str(resource.get("Metadata", {}).get("BuildMethod", ""))
    language = method.rstrip("0123456789.x")
    if method and not (path / language).is_dir() and language != "python":
        raise TemplateFileError(
            f"{logical_id} has the BuildMethod {method}, which Mayfly does not carry out: build it, for example with "
            "`sam build`, and deploy what came of that"
        )
    named = [method, *properties.get("CompatibleRuntimes", ())]
    pythons = [str(one).removeprefix("python") for one in named if str(one).startswith("python")]
    python = pythons[0] if pythons else DEFAULT_PYTHON
    if method and not (path / language).is_dir():
        yield LocalCode(logical_id, path, python, below="python")
    else:
        yield LocalCode(logical_id, path, python, requirements_below="python")


def with_uploads(
    template: dict[str, Any], codes: list[LocalCode], s3: Any, bucket: str, cache: Path, say: Say
) -> dict[str, Any]:
    """`template` with every local code packaged, uploaded to `bucket` if it is not there yet, and referred to."""
    resources = dict(template["Resources"])
    for code in codes:
        report = functools.partial(say, code.logical_id)
        archive = package(
            code.path, code.python, cache, report, below=code.below, requirements_below=code.requirements_below
        )
        key = f"{file_digest(archive)}.zip"
        if not _exists(s3, bucket, key):
            say(code.logical_id, "uploading")
            s3.upload_file(str(archive), bucket, key)
        say(code.logical_id, "packaged")
        resource = resources[code.logical_id]
        kind = resource["Type"]
        member = _CONTENT.get(kind) or ("CodeUri" if kind in _SAM else "Code")
        place = {member: f"s3://{bucket}/{key}" if kind in _SAM else {"S3Bucket": bucket, "S3Key": key}}
        resources[code.logical_id] = {**resource, "Properties": {**resource.get("Properties", {}), **place}}
    return {**template, "Resources": resources}


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


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        return False
    return True
