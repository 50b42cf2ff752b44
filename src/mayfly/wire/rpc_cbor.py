"""The `smithy-rpc-v2-cbor` protocol, as far as it is needed: refusals.

None of the services that Mayfly has is offered over it, but SDKs prefer it for some that Mayfly lacks, and must be able
to read the answer. Encoding follows RFC 8949; only what an error needs is there.
"""

from __future__ import annotations

from botocore.model import OperationModel, ServiceModel

from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.wire.codec import ErrorForms, Parser, Serialiser, request_id_headers
from mayfly.wire.exchange import Request

PROTOCOL = "smithy-rpc-v2-cbor"


class CborCodec:
    """The codec of one service that speaks `smithy-rpc-v2-cbor`."""

    def __init__(self, model: ServiceModel) -> None:
        self._query_compatible = "awsQueryCompatible" in model.metadata
        self._forms = ErrorForms(model)

    def parser(self, operation: OperationModel) -> Parser:
        def refuse(_request: Request) -> dict[str, object]:
            raise ServiceError(
                "NotImplemented", f"Mayfly does not read CBOR; call {operation.name} over JSON instead.", status=501
            )

        return refuse

    def serialiser(self, operation: OperationModel) -> Serialiser:
        def unreachable(_value: object, _request_id: str) -> HttpResponse:
            raise TypeError(f"{operation.name} has no encoding as CBOR")

        return unreachable

    def error(self, failure: ServiceError, request_id: str) -> HttpResponse:
        form = self._forms.form(failure)
        name = form.shape.name if form.shape is not None else failure.code
        headers = [
            *request_id_headers(request_id),
            ("smithy-protocol", "rpc-v2-cbor"),
            ("content-type", "application/cbor"),
        ]
        if self._query_compatible:
            headers.append(("x-amzn-query-error", f"{form.code};{'Sender' if form.sender else 'Receiver'}"))
        return HttpResponse(form.status, headers, text_map({"__type": name, "message": failure.message}))


def text_map(texts: dict[str, str]) -> bytes:
    """A CBOR map of texts to texts."""
    out = _head(5, len(texts))
    for key, value in texts.items():
        for text in (key, value):
            encoded = text.encode()
            out += _head(3, len(encoded)) + encoded
    return out


def _head(major: int, argument: int) -> bytes:
    """The initial byte of an item, and its argument (RFC 8949, section 3)."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    if argument < 1 << 8:
        return bytes((major << 5 | 24, argument))
    if argument < 1 << 16:
        return bytes((major << 5 | 25,)) + argument.to_bytes(2, "big")
    return bytes((major << 5 | 26,)) + argument.to_bytes(4, "big")
