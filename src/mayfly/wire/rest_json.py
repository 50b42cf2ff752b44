"""The `rest-json` protocol: Lambda, API Gateway, EventBridge Scheduler and most of the newer services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.wire import rest
from mayfly.wire.codec import ErrorForms, Parser, Serialiser, request_id_headers
from mayfly.wire.faults import serialization
from mayfly.wire.json import error_members
from mayfly.wire.json_values import Convert, decode, parsers, serialisers
from mayfly.wire.rest_replies import compile_head, compile_serialiser
from mayfly.wire.rest_requests import compile_parser


class RestJsonCodec:
    """The codec of one service that speaks `rest-json`."""

    def __init__(self, model: ServiceModel) -> None:
        self._forms = ErrorForms(model)
        self._parsers = parsers()
        self._serialisers = serialisers()
        self._format = rest.BodyFormat(
            content_type="application/json",
            read_members=self._read_members,
            read_payload=self._read_payload,
            write_members=self._write_members,
            write_payload=self._write_payload,
            malformed=_malformed,
        )

    def parser(self, operation: OperationModel) -> Parser:
        return compile_parser(operation, self._format)

    def serialiser(self, operation: OperationModel) -> Serialiser:
        return compile_serialiser(operation, self._format, request_id_headers)

    def error(self, failure: ServiceError, request_id: str) -> HttpResponse:
        form = self._forms.form(failure)
        name = form.shape.name if form.shape is not None else failure.code
        headers = [*request_id_headers(request_id), ("x-amzn-errortype", name), ("content-type", "application/json")]
        if form.shape is not None:
            compile_head(form.shape)(failure.members, headers)
        content = error_members(form, failure, self._serialisers.step)
        return HttpResponse(form.status, headers, msgspec.json.encode(content))

    def _read_members(self, shape: StructureShape) -> Callable[[bytes], dict[str, Any]]:
        step = self._parsers.step(shape)

        def read(body: bytes) -> dict[str, Any]:
            value = decode(body)
            if type(value) is not dict:
                raise serialization("The request body is not a JSON object.")
            found: dict[str, Any] = step(value)
            return found

        return read

    def _read_payload(self, shape: Shape) -> Callable[[bytes], Any]:
        step = self._parsers.step(shape)
        return lambda body: step(decode(body))

    def _write_members(self, _operation: OperationModel, shape: StructureShape) -> rest.WriteBody:
        members: dict[str, tuple[str, Convert]] = {
            name: (str(member.serialization.get("name", name)), self._serialisers.step(member))
            for name, member in shape.members.items()
            if "location" not in member.serialization
        }

        def write(value: Mapping[str, Any]) -> bytes:
            content = {}
            for key, item in value.items():
                entry = members.get(key)
                if entry is not None and item is not None:
                    content[entry[0]] = entry[1](item)
            return msgspec.json.encode(content)

        return write

    def _write_payload(self, shape: Shape, _name: str) -> rest.WriteBody:
        step = self._serialisers.step(shape)
        return lambda value: msgspec.json.encode(step(value))


def _malformed(name: str, _value: str, cause: Exception) -> ServiceError:
    return serialization(f"The value of {name} is malformed: {cause}")
