"""What all of Mayfly's own pages share: who may see them, answers in JSON, bodies that are checked as they arrive."""

import hashlib
import hmac
from collections.abc import AsyncIterator

import msgspec

from mayfly.errors import CallerError
from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.wire.signed import NotSignedError, SignedRequests

SERVICE = "mayfly"  # what requests are signed for
_JSON = (("content-type", "application/json"),)


class AlteredBodyError(CallerError):
    """What arrived is not what was signed."""


class BodyTooLargeError(CallerError):
    """More was sent than the page takes."""


async def small_body(request: HttpRequest, most: int) -> bytes:
    """All of the body; `BodyTooLargeError` beyond `most` bytes."""
    if request.content is not None:
        return request.content
    body = bytearray()
    async for chunk in request.body:
        body += chunk
        if len(body) > most:
            raise BodyTooLargeError(f"a body is at most {most} bytes here")
    return bytes(body)


async def refusal(signed: SignedRequests, request: HttpRequest, body: bytes | None) -> HttpResponse | None:
    """None for a request of the root key's owner; else the answer. `body` None: `verified` checks it later."""
    try:
        principal = await signed.principal(request, body, SERVICE)
    except NotSignedError as error:
        return said(403, f"Access denied: {error}.")
    return None if principal.kind == "root" else said(403, "Access denied: only the account's root key may do this.")


async def verified(request: HttpRequest) -> AsyncIterator[bytes]:
    """The body, which ends with `AlteredBodyError` unless it has the hash that was signed."""
    hasher = hashlib.sha256()
    async for chunk in request.body:
        hasher.update(chunk)
        yield chunk
    if not hmac.compare_digest(hasher.hexdigest(), request.header("x-amz-content-sha256") or ""):
        raise AlteredBodyError("what arrived is not what was signed; send it again")


def shown(value: object, status: int = 200) -> HttpResponse:
    """An answer."""
    return HttpResponse(status, _JSON, msgspec.json.encode(value))


def said(status: int, message: str, *, close: bool = False) -> HttpResponse:
    """An answer that is a sentence. `close`: what is left of the request is not read."""
    return HttpResponse(status, _JSON, msgspec.json.encode({"message": message}), close=close)
