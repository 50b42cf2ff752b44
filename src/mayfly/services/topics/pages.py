"""Where the links in messages lead: the certificate, and confirming or ending a subscription without a signature.

Below `/_mayfly/topics/`. Answers are those of SNS to the same requests, as XML.
"""

import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from mayfly import ids
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.topics.handshakes import Handshakes
from mayfly.services.topics.rendering import PAGES
from mayfly.services.topics.signatures import Signatures

_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
_MOST_FORM = 16 * 1024


class TopicPages:
    """Answers them."""

    def __init__(self, handshakes: Handshakes, signatures: Signatures) -> None:
        self._handshakes = handshakes
        self._signatures = signatures

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request below `PAGES`."""
        name = request.path.removeprefix(PAGES).removeprefix(PAGES.rstrip("/"))
        if name:
            return await self._certificate(name)
        parameters = dict(parse_qsl(request.query))
        if request.method == "POST":
            parameters |= dict(parse_qsl(await _form(request)))
        elif request.method not in ("GET", "HEAD"):
            return HttpResponse(405, [("allow", "GET, HEAD, POST")])
        try:
            return await self._act(parameters)
        except ServiceError as error:
            return _failure(error)

    async def _act(self, parameters: Mapping[str, str]) -> HttpResponse:
        action = parameters.get("Action", "")
        if action == "ConfirmSubscription":
            if parameters.get("AuthenticateOnUnsubscribe", "false").lower() == "true":
                raise ServiceError(
                    "AuthorizationErrorException", "AuthenticateOnUnsubscribe needs a signed request", status=403
                )
            confirmed = await self._handshakes.confirm(
                parameters.get("TopicArn", ""), parameters.get("Token", ""), signed=False, authenticate=False
            )
            return _success(action, f"<SubscriptionArn>{escape(confirmed.arn)}</SubscriptionArn>")
        if action == "Unsubscribe":
            await self._handshakes.end(parameters.get("SubscriptionArn", ""), None, None)
            return _success(action, None)
        raise ServiceError(
            "InvalidAction", "Here subscriptions are confirmed and ended; all else is signed.", status=400
        )

    async def _certificate(self, name: str) -> HttpResponse:
        signer = await self._signatures.ready()
        if name != signer.name:
            return HttpResponse(404, [("content-type", "text/plain")], b"There is no such certificate.\n")
        tag = hashlib.sha256(signer.certificate).hexdigest()
        headers = [("content-type", "application/x-pem-file"), ("cache-control", "max-age=86400"), ("etag", f'"{tag}"')]
        return HttpResponse(200, headers, signer.certificate)


async def _form(request: HttpRequest) -> str:
    if request.content is not None:
        return request.content[:_MOST_FORM].decode(errors="replace")
    taken = b""
    async for part in request.body:
        taken += part
        if len(taken) > _MOST_FORM:
            break
    return taken[:_MOST_FORM].decode(errors="replace")


def _success(action: str, result: str | None) -> HttpResponse:
    inner = f"<{action}Result>{result}</{action}Result>" if result is not None else ""
    text = (
        f'<{action}Response xmlns="{_NAMESPACE}">{inner}'
        f"<ResponseMetadata><RequestId>{ids.request_id()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return HttpResponse(200, [("content-type", "text/xml")], text.encode())


_STATUS = {"NotFoundException": (404, "NotFound"), "AuthorizationErrorException": (403, "AuthorizationError")}


def _failure(error: ServiceError) -> HttpResponse:
    status, code = _STATUS.get(error.code, (400, error.code.removesuffix("Exception")))
    text = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{ids.request_id()}</RequestId></ErrorResponse>"
    )
    return HttpResponse(status, [("content-type", "text/xml")], text.encode())
