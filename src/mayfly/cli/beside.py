"""What a template names by its place on this machine, beside code: definitions of APIs and state machines, other
templates, and what `AWS::Include` includes.

`mapped` gives the template with every such place replaced by what its caller makes of it: an upload (`uploading`), or
the way there from another folder (`building`). What is elsewhere already, or an expression, stays.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from mayfly.errors import CallerError

INCLUDE = "AWS::Include"
_ELSEWHERE = ("s3://", "http://", "https://")

# By type: the member that names a document, and whether it takes an address in one word, or a bucket and a key.
DOCUMENTS: Mapping[str, tuple[str, Literal["word", "parts"]]] = MappingProxyType(
    {
        "AWS::Serverless::Api": ("DefinitionUri", "word"),
        "AWS::Serverless::HttpApi": ("DefinitionUri", "word"),
        "AWS::Serverless::StateMachine": ("DefinitionUri", "word"),
        "AWS::Serverless::GraphQLApi": ("SchemaUri", "word"),
        "AWS::ApiGateway::RestApi": ("BodyS3Location", "parts"),
        "AWS::ApiGatewayV2::Api": ("BodyS3Location", "parts"),
        "AWS::StepFunctions::StateMachine": ("DefinitionS3Location", "parts"),
    }
)
# By type: the member that names another template.
TEMPLATES: Mapping[str, str] = MappingProxyType(
    {"AWS::Serverless::Application": "Location", "AWS::CloudFormation::Stack": "TemplateURL"}
)


class NotThereError(CallerError):
    """A template names a file that is not there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Something that lies beside a template."""

    logical_id: str  # of the resource that names it; "" for what is included
    kind: Literal["document", "template"]
    path: Path
    form: Literal["word", "parts"] = "word"


Replace = Callable[[Place], object]


def mapped(body: Mapping[str, Any], folder: Path, replace: Replace) -> dict[str, Any]:
    """The template whose file is in `folder`, with what `replace` gives for each place; `NotThereError`."""
    resources = {
        name: _resource(name, resource, folder, replace) if isinstance(resource, dict) else resource
        for name, resource in body["Resources"].items()
    }
    whole: dict[str, Any] = _including({**body, "Resources": resources}, folder, replace)
    return whole


def places(body: Mapping[str, Any], folder: Path) -> Iterator[Place]:
    """Everything that `mapped` would replace."""
    found: list[Place] = []

    def note(place: Place) -> str:
        found.append(place)
        return ""

    mapped(body, folder, note)
    return iter(found)


def _resource(name: str, resource: dict[str, Any], folder: Path, replace: Replace) -> dict[str, Any]:
    kind, properties = resource.get("Type"), resource.get("Properties")
    if not isinstance(kind, str) or not isinstance(properties, dict):
        return resource
    if kind in TEMPLATES and _local(properties.get(TEMPLATES[kind])):
        member = TEMPLATES[kind]
        place = Place(name, "template", _there(name, member, folder, properties[member]))
    elif kind in DOCUMENTS and _local(properties.get(DOCUMENTS[kind][0])):
        member, form = DOCUMENTS[kind]
        place = Place(name, "document", _there(name, member, folder, properties[member]), form)
    else:
        return resource
    return {**resource, "Properties": {**properties, member: replace(place)}}


def _including(value: Any, folder: Path, replace: Replace) -> Any:
    if isinstance(value, list):
        return [_including(item, folder, replace) for item in value]
    if not isinstance(value, dict):
        return value
    parameters = value.get("Parameters")
    if value.get("Name") == INCLUDE and isinstance(parameters, dict) and _local(parameters.get("Location")):
        path = _there(INCLUDE, "Location", folder, parameters["Location"])
        return {**value, "Parameters": {**parameters, "Location": replace(Place("", "document", path))}}
    return {name: _including(item, folder, replace) for name, item in value.items()}


def _local(value: object) -> bool:
    return isinstance(value, str) and bool(value) and not value.startswith(_ELSEWHERE)


def _there(name: str, member: str, folder: Path, named: str) -> Path:
    path = (folder / named.removeprefix("file://")).resolve()
    if not path.is_file():
        raise NotThereError(f"{name}: the {member} {named} is not a file beside the template ({path})")
    return path
