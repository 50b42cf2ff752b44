"""What a protocol's codec is, and what all of them share: finding a failure's shape in the model.

The protocols form a small family. `json` and `query` put everything in the body and answer at `/`. `rest_json` and
`rest_xml` spread members over path, query string, headers and body (`rest` does that part for both) and differ in the
body alone. `query` reads a flat form and writes XML, so it shares the XML writer with `rest_xml`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.model import OperationModel, ServiceModel, StructureShape

from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.wire.exchange import Request
from mayfly.wire.former_query import former_errors

Parser = Callable[[Request], dict[str, Any]]
Serialiser = Callable[[Mapping[str, Any], str], HttpResponse]  # the reply's members, the request id


class Codec(Protocol):
    """One protocol, for one service. Everything it returns is compiled once and may be called from any task."""

    def parser(self, operation: OperationModel) -> Parser:
        """The function from a request to the operation's input; it raises `ServiceError` for what it cannot decode."""

    def serialiser(self, operation: OperationModel) -> Serialiser:
        """The function from the operation's output to the reply, ids in headers included."""

    def error(self, failure: ServiceError, request_id: str) -> HttpResponse:
        """The reply that carries `failure`."""


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """A failure as the model describes it."""

    code: str  # on the wire
    shape: StructureShape | None
    status: int
    sender: bool  # whose fault it is
    name: str | None = None  # in JSON, where it is not what the handler gave


class ErrorForms:
    """Failures of one service by code, found in its model."""

    def __init__(self, model: ServiceModel) -> None:
        self._by_code: dict[str, StructureShape] = {}
        shapes = [shape for shape in model.error_shapes if isinstance(shape, StructureShape)]
        for shape in shapes:
            self._by_code.setdefault(shape.error_code or shape.name, shape)
        for shape in shapes:
            self._by_code.setdefault(shape.name, shape)
        self._former = former_errors(model.service_name)

    def form(self, failure: ServiceError) -> ErrorForm:
        """The form of `failure`; its own status wins over the model's."""
        shape = self._by_code.get(failure.code)
        former = self._former.get(failure.code)
        if former is not None:
            name = shape.name if shape is not None else former.name
            status = failure.status or former.status
            return ErrorForm(former.code, shape, status, status < 500, name)
        traits: Mapping[str, Any] = shape.metadata.get("error", {}) if shape is not None else {}
        fault = bool(shape is not None and (shape.metadata.get("fault") or traits.get("fault")))
        status = failure.status or traits.get("httpStatusCode") or (500 if fault else 400)
        code = shape.error_code or failure.code if shape is not None else failure.code
        return ErrorForm(code, shape, status, status < 500, shape.name if shape is not None else None)


def request_id_headers(request_id: str) -> list[tuple[str, str]]:
    """The header that names the request, for every service but S3."""
    return [("x-amzn-requestid", request_id)]
