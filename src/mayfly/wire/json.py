"""The `json` protocol, versions 1.0 and 1.1: DynamoDB, SQS, CloudWatch Logs, Step Functions and a hundred others.

One path, `POST /`; the operation's name travels in `X-Amz-Target`; input, output and errors are JSON objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from botocore.model import OperationModel, ServiceModel, StructureShape

from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.wire.codec import ErrorForm, ErrorForms, Parser, Serialiser, request_id_headers
from mayfly.wire.exchange import Request
from mayfly.wire.faults import serialization
from mayfly.wire.json_values import Convert, decode, parsers, serialisers


class JsonCodec:
    """The codec of one service that speaks `json`."""

    def __init__(self, model: ServiceModel) -> None:
        self._content_type = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.0')}"
        self._query_compatible = "awsQueryCompatible" in model.metadata
        self._forms = ErrorForms(model)
        self._parsers = parsers()
        self._serialisers = serialisers()

    def parser(self, operation: OperationModel) -> Parser:
        shape = operation.input_shape
        if not isinstance(shape, StructureShape):
            return lambda _request: {}
        step = self._parsers.step(shape)

        def parse(request: Request) -> dict[str, Any]:
            value = decode(request.body) if request.body else {}
            if type(value) is not dict:
                raise serialization("The request body is not a JSON object.")
            found: dict[str, Any] = step(value)
            return found

        return parse

    def serialiser(self, operation: OperationModel) -> Serialiser:
        shape = operation.output_shape
        step: Convert = self._serialisers.step(shape) if isinstance(shape, StructureShape) else dict
        known = frozenset(shape.members) if isinstance(shape, StructureShape) else frozenset[str]()
        content_type = ("content-type", self._content_type)
        encode, name = msgspec.json.encode, operation.name

        def serialise(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            if not known.issuperset(value):
                raise KeyError(f"{name} has no output {sorted(set(value) - known)}")
            return HttpResponse(200, (("x-amzn-requestid", request_id), content_type), encode(step(value)))

        return serialise

    def error(self, failure: ServiceError, request_id: str) -> HttpResponse:
        form = self._forms.form(failure)
        # SDKs know the shape's name; the code of the service's query days, if it differs, goes into its own header.
        name = form.name or failure.code
        headers = [*request_id_headers(request_id), ("content-type", self._content_type)]
        if self._query_compatible:
            headers.append(("x-amzn-query-error", f"{form.code};{'Sender' if form.sender else 'Receiver'}"))
        content = {"__type": name, **error_members(form, failure, self._serialisers.step)}
        return HttpResponse(form.status, headers, msgspec.json.encode(content))


def error_members(form: ErrorForm, failure: ServiceError, step_of: Any) -> dict[str, Any]:
    """The message, under the name that the shape gives it, and the shape's other members, as JSON values."""
    known = form.shape.members if form.shape is not None else {}
    content: dict[str, Any] = {}
    name = next((each for each in ("message", "Message") if each in known), "message")
    content[known[name].serialization.get("name", name) if name in known else name] = failure.message
    for key, value in failure.members.items():
        member = known.get(key)
        if member is None:
            content[key] = value
        elif "location" not in member.serialization:
            content[member.serialization.get("name", key)] = step_of(member)(value)
    return content
