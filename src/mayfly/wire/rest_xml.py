"""The `rest-xml` protocol: S3, S3 Control, CloudFront and Route 53.

S3 has its own manners: names of root elements that its model does not tell, a second id in every reply, errors
without an envelope, and one reply (GetBucketLocation) whose root element holds the member's text itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
from msgspec.structs import replace

from mayfly.services.contract import HttpResponse, ServiceError
from mayfly.wire import rest, rest_replies, timestamps, xml
from mayfly.wire.codec import ErrorForms, Parser, Serialiser, request_id_headers
from mayfly.wire.rest_requests import compile_parser
from mayfly.wire.xml import escape
from mayfly.wire.xml_values import ValueFormatError, members_writer, parsers, serialisers

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
S3_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"

# Root elements of S3's replies where they are not the operation's name with "Result" (Amazon S3 API Reference).
_S3_ROOTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CreateMultipartUpload": "InitiateMultipartUploadResult",
        "DeleteObjects": "DeleteResult",
        "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
        "GetBucketAcl": "AccessControlPolicy",
        "GetBucketCors": "CORSConfiguration",
        "GetBucketLifecycle": "LifecycleConfiguration",
        "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
        "GetBucketLogging": "BucketLoggingStatus",
        "GetBucketNotification": "NotificationConfiguration",
        "GetBucketNotificationConfiguration": "NotificationConfiguration",
        "GetBucketRequestPayment": "RequestPaymentConfiguration",
        "GetBucketTagging": "Tagging",
        "GetBucketVersioning": "VersioningConfiguration",
        "GetBucketWebsite": "WebsiteConfiguration",
        "GetObjectAcl": "AccessControlPolicy",
        "GetObjectAttributes": "GetObjectAttributesResponse",
        "GetObjectTagging": "Tagging",
        "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
        "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
        "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
        "ListBuckets": "ListAllMyBucketsResult",
        "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
        "ListObjectVersions": "ListVersionsResult",
        "ListObjects": "ListBucketResult",
        "ListObjectsV2": "ListBucketResult",
    }
)


def host_id(request_id: str) -> str:
    """S3's second id, `x-amz-id-2`: derived from the first, since it means nothing to anybody but its maker."""
    return base64.b64encode(hashlib.sha256(request_id.encode()).digest()).decode("ascii")


def _s3_id_headers(request_id: str) -> list[tuple[str, str]]:
    return [("x-amz-request-id", request_id), ("x-amz-id-2", host_id(request_id))]


class RestXmlCodec:
    """The codec of one service that speaks `rest-xml`."""

    def __init__(self, model: ServiceModel) -> None:
        self._s3 = model.service_name == "s3"
        self._namespace = S3_NAMESPACE if self._s3 else model.metadata.get("xmlNamespace", "")
        self._forms = ErrorForms(model)
        self._parsers = parsers()
        self._serialisers = serialisers(timestamps.to_iso_millis if self._s3 else timestamps.to_iso)
        self._ids = _s3_id_headers if self._s3 else request_id_headers
        self._format = rest.BodyFormat(
            content_type="application/xml" if self._s3 else "text/xml",
            read_members=self._read_members,
            read_payload=self._read_payload,
            write_members=self._write_members,
            write_payload=self._write_payload,
            malformed=_malformed,
        )

    def parser(self, operation: OperationModel) -> Parser:
        return compile_parser(operation, self._format)

    def serialiser(self, operation: OperationModel) -> Serialiser:
        serialise = rest_replies.compile_serialiser(operation, self._format, self._ids)
        if not self._s3 or "ContentRange" not in getattr(operation.output_shape, "members", {}):
            return serialise

        def ranged(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            """The model knows one status, 200; a reply that says which part of the object it is has 206."""
            response = serialise(value, request_id)
            return replace(response, status=206) if "ContentRange" in value else response

        return ranged

    def error(self, failure: ServiceError, request_id: str) -> HttpResponse:
        form = self._forms.form(failure)
        headers = [*self._ids(request_id), ("content-type", self._format.content_type)]
        if form.status == 304:  # carries no body, whatever the method
            return HttpResponse(304, self._ids(request_id))
        if form.shape is not None:
            rest_replies.compile_head(form.shape)(failure.members, headers)
        details = f"<Code>{escape(form.code)}</Code><Message>{escape(failure.message)}</Message>"
        details += "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in failure.members.items())
        if self._s3:
            ids = f"<RequestId>{request_id}</RequestId><HostId>{host_id(request_id)}</HostId>"
            text = f"{DECLARATION}<Error>{details}{ids}</Error>"
        else:
            kind = "Sender" if form.sender else "Receiver"
            xmlns = f' xmlns="{self._namespace}"' if self._namespace else ""
            text = (
                f"{DECLARATION}<ErrorResponse{xmlns}><Error><Type>{kind}</Type>{details}</Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        return HttpResponse(form.status, headers, text.encode())

    def _read_members(self, shape: StructureShape) -> Callable[[bytes], dict[str, Any]]:
        return self._read_payload(shape)

    def _read_payload(self, shape: Shape) -> Callable[[bytes], Any]:
        step = self._parsers.step(shape)

        def read(body: bytes) -> Any:
            try:
                return step(xml.parse(body))
            except (xml.MalformedXmlError, ValueFormatError) as error:
                raise _malformed_xml() from error

        return read

    def _write_members(self, operation: OperationModel, shape: StructureShape) -> rest.WriteBody:
        if self._s3 and operation.name == "GetBucketLocation":
            return _location
        if self._s3:
            root = _S3_ROOTS.get(operation.name, f"{operation.name}Result")
        else:
            root = shape.serialization.get("name", shape.name)
        write = members_writer(shape, self._serialisers)
        xmlns = f' xmlns="{self._namespace}"' if self._namespace else ""

        def members(value: Mapping[str, Any]) -> bytes:
            out = [DECLARATION, f"<{root}{xmlns}>"]
            write(out, value)
            out.append(f"</{root}>")
            return "".join(out).encode()

        return members

    def _write_payload(self, shape: Shape, name: str) -> rest.WriteBody:
        root = shape.serialization.get("name", shape.name if self._s3 else name)
        step = self._serialisers.step(shape)
        # The root declares the namespace: by the model's word for the shape, else the service's own.
        xmlns = self._namespace if "xmlNamespace" not in shape.serialization else ""

        def payload(value: Any) -> bytes:
            out: list[str] = []
            step(out, root, value)
            if xmlns:
                out[0] = out[0].replace(f"<{root}", f'<{root} xmlns="{xmlns}"', 1)
            return (DECLARATION + "".join(out)).encode()

        return payload


def _location(value: Mapping[str, Any]) -> bytes:
    text = escape(value.get("LocationConstraint") or "")
    return f'{DECLARATION}<LocationConstraint xmlns="{S3_NAMESPACE}">{text}</LocationConstraint>'.encode()


def _malformed_xml() -> ServiceError:
    return ServiceError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
        status=400,
    )


def _malformed(name: str, value: str, cause: Exception) -> ServiceError:
    return ServiceError(
        "InvalidArgument",
        f"Provided {name} is not valid: {cause}",
        status=400,
        members={"ArgumentName": name, "ArgumentValue": value},
    )
