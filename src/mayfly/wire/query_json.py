"""What services of the `query` protocol answer in JSON, as API Gateway asks them to: the XML's structure, as objects.

    {"SendMessageResponse": {"SendMessageResult": {"MessageId": "…", …}, "ResponseMetadata": {"RequestId": "…"}}}

Members without a value are null. SQS calls the messages that it gives `messages` there, and its attributes are lists of
names and values. Requests are read as ever.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.wire.codec import ErrorForms, Serialiser
from mayfly.wire.query import QueryCodec

PROTOCOL: Final = "query-json"
_RENAMED = {("ReceiveMessage", "Messages"): "messages"}


class QueryJsonCodec(QueryCodec):
    """The codec of one service."""

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._error_forms = ErrorForms(model)

    def serialiser(self, operation: OperationModel) -> Serialiser:
        shape, name = operation.output_shape, operation.name
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None

        def serialise(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            content: dict[str, Any] = {}
            if isinstance(shape, StructureShape) and (wrapper or shape.members):
                result = _structure(shape, value)
                content[wrapper or f"{name}Result"] = {
                    _RENAMED.get((name, member), member): each for member, each in result.items()
                }
            content["ResponseMetadata"] = {"RequestId": request_id}
            return _response(200, {f"{name}Response": content}, request_id)

        return serialise

    def error(self, failure: ServiceError, request_id: str) -> HttpResponse:
        form = self._error_forms.form(failure)
        kind = "Sender" if form.sender else "Receiver"
        told = {"Code": form.code, "Message": failure.message, "Type": kind}
        return _response(form.status, {"Error": told, "RequestId": request_id}, request_id)


def _response(status: int, content: dict[str, Any], request_id: str) -> HttpResponse:
    headers = (("x-amzn-requestid", request_id), ("content-type", "application/json"))
    return HttpResponse(status, headers, msgspec.json.encode(content))


def _structure(shape: StructureShape, value: Mapping[str, Any]) -> dict[str, Any]:
    return {member: _value(each, value.get(member)) for member, each in shape.members.items()}


def _value(shape: Shape, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(shape, StructureShape):
        return _structure(shape, value)
    if isinstance(shape, ListShape):
        return [_value(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        if shape.serialization.get("flattened"):
            return [{"Name": key, "Value": _value(shape.value, item)} for key, item in value.items()]
        return {key: _value(shape.value, item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
