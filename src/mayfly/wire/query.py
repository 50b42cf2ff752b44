"""The `query` protocol (IAM, STS, SNS, CloudFormation) and its cousin `ec2`: a form goes in, XML comes out.

A form's keys spell paths into the input, `Tags.member.1.Key`; they are made a tree first, then read by shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.wire.codec import ErrorForms, Parser, Serialiser
from mayfly.wire.exchange import Request, parse_query
from mayfly.wire.faults import MalformedRequestError
from mayfly.wire.former_query import FORMER
from mayfly.wire.shapes import Compiler
from mayfly.wire.xml import escape
from mayfly.wire.xml_values import ValueFormatError, from_text, members_writer, serialisers

MAX_DEPTH = 64
_LEAF = ""  # the key, in a node of the tree, of the value that stands at the node itself

Tree = dict[str, Any]
Read = Callable[[Tree], Any]


class QueryCodec:
    """The codec of one service that speaks `query` or `ec2`."""

    def __init__(self, model: ServiceModel) -> None:
        self._ec2 = model.metadata["protocol"] == "ec2"
        former = FORMER.get(model.service_name)
        self._path_member = former.path_member if former is not None else None
        self._namespace = model.metadata.get("xmlNamespace", "")
        self._forms = ErrorForms(model)
        self._parsers: Compiler[Read] = Compiler(_Reader(self._ec2).build)
        self._serialisers = serialisers()

    def parser(self, operation: OperationModel) -> Parser:
        shape = operation.input_shape
        if not isinstance(shape, StructureShape):
            return lambda _request: {}
        step = self._parsers.step(shape)
        path_member = self._path_member if self._path_member in shape.members else None
        # A form cannot tell an empty list from none; services that also speak JSON have words for the former.
        lists = [name for name in shape.required_members if isinstance(shape.members[name], ListShape)]
        lists = lists if self._path_member is not None else []

        def parse(request: Request) -> dict[str, Any]:
            try:
                pairs = [*request.query, *parse_query(request.body.decode())]
                found: dict[str, Any] = step(tree(pairs))
            except ValueFormatError as error:
                raise MalformedRequestError("MalformedInput", str(error), status=400) from error
            except ValueError as error:
                raise MalformedRequestError("MalformedQueryString", str(error), status=400) from error
            for name in lists:
                found.setdefault(name, [])
            if path_member is not None and path_member not in found and path_member in request.labels:
                found[path_member] = request.labels[path_member]
            return found

        return parse

    def serialiser(self, operation: OperationModel) -> Serialiser:
        shape = operation.output_shape
        name = operation.name
        xmlns = f' xmlns="{self._namespace}"' if self._namespace else ""
        write = members_writer(shape, self._serialisers) if isinstance(shape, StructureShape) else _nothing
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        start = f"<{name}Response{xmlns}>" + (f"<{wrapper}>" if wrapper else "")
        if self._ec2:
            before_id, after_id = "<requestId>", f"</requestId></{name}Response>"
        else:
            before_id = "<ResponseMetadata><RequestId>"
            after_id = f"</RequestId></ResponseMetadata></{name}Response>"
        before_id = (f"</{wrapper}>" if wrapper else "") + before_id

        def serialise(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            out = [start]
            write(out, value)
            out += (before_id, request_id, after_id)
            headers = (("x-amzn-requestid", request_id), ("content-type", "text/xml"))
            return HttpResponse(200, headers, "".join(out).encode())

        return serialise

    def error(self, failure: ServiceError, request_id: str) -> HttpResponse:
        form = self._forms.form(failure)
        details = f"<Code>{escape(form.code)}</Code><Message>{escape(failure.message)}</Message>"
        details += "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in failure.members.items())
        if self._ec2:
            text = f"<Response><Errors><Error>{details}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        else:
            xmlns = f' xmlns="{self._namespace}"' if self._namespace else ""
            kind = "Sender" if form.sender else "Receiver"
            text = (
                f"<ErrorResponse{xmlns}><Error><Type>{kind}</Type>{details}</Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        headers = (("x-amzn-requestid", request_id), ("content-type", "text/xml"))
        return HttpResponse(form.status, headers, text.encode())


def _nothing(_out: list[str], _value: Any) -> None:
    return


def tree(pairs: list[tuple[str, str]]) -> Tree:
    """The keys of a form as a tree: `a.b=1` gives {"a": {"b": {"": "1"}}}; ValueError beyond `MAX_DEPTH`."""
    root: Tree = {}
    for key, value in pairs:
        node = root
        parts = key.split(".")
        if len(parts) > MAX_DEPTH:
            raise ValueError(f"a parameter's name has more than {MAX_DEPTH} parts")
        for part in parts:
            node = node.setdefault(part, {})
        node.setdefault(_LEAF, value)
    return root


def _numbered(node: Tree) -> list[Tree]:
    """The children with a number for a name, in the numbers' order."""
    found = [(int(key), child) for key, child in node.items() if key.isascii() and key.isdigit() and len(key) < 10]
    return [child for _, child in sorted(found, key=lambda each: each[0])]


class _Reader:
    """Compiles shapes to functions from tree nodes to values."""

    def __init__(self, ec2: bool) -> None:
        self._ec2 = ec2

    def build(self, shape: Shape, compiler: Compiler[Read]) -> Read:
        if isinstance(shape, StructureShape):
            return self._structure(shape, compiler)
        if isinstance(shape, ListShape):
            return self._list(shape, compiler)
        if isinstance(shape, MapShape):
            return self._map(shape, compiler)
        read = from_text(shape.type_name)
        return lambda node: read(node.get(_LEAF, ""))

    def _name(self, member: Shape, name: str) -> str:
        traits = member.serialization
        if self._ec2:
            if "queryName" in traits:
                return str(traits["queryName"])
            if "name" in traits:
                return str(traits["name"][0].upper() + traits["name"][1:])
            return name
        if isinstance(member, ListShape) and traits.get("flattened"):
            return str(member.member.serialization.get("name") or traits.get("name", name))
        return str(traits.get("name", name))

    def _structure(self, shape: StructureShape, compiler: Compiler[Read]) -> Read:
        members = {self._name(member, name): (name, compiler.step(member)) for name, member in shape.members.items()}

        def structure(node: Tree) -> dict[str, Any]:
            found = {}
            for key, child in node.items():
                member = members.get(key)
                if member is not None:
                    found[member[0]] = member[1](child)
            return found

        return structure

    def _list(self, shape: ListShape, compiler: Compiler[Read]) -> Read:
        step = compiler.step(shape.member)
        if self._ec2 or shape.serialization.get("flattened"):
            return lambda node: [step(child) for child in _numbered(node)]
        inner = shape.member.serialization.get("name", "member")

        def wrapped(node: Tree) -> list[Any]:
            return [step(child) for child in _numbered(node.get(inner, {}))]

        return wrapped

    def _map(self, shape: MapShape, compiler: Compiler[Read]) -> Read:
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        key_step, value_step = compiler.step(shape.key), compiler.step(shape.value)
        flattened = bool(shape.serialization.get("flattened"))

        def entries(node: Tree) -> dict[Any, Any]:
            found = {}
            for entry in _numbered(node if flattened else node.get("entry", {})):
                if key_name not in entry:
                    raise ValueFormatError(f"an entry of a map lacks its {key_name}")
                found[key_step(entry[key_name])] = value_step(entry.get(value_name, {}))
            return found

        return entries
