"""The platform's own images over HTTP, `/_mayfly/images`: what `mayfly image` speaks to. For the account's root key.

    GET                     what there is
    POST ?name=NAME:TAG     the body is an archive: `docker save`'s, or a tar file of an OCI layout
    DELETE ?name=NAME:TAG   take the name away

An upload is signed over the SHA-256 of its body, which its header `x-amz-content-sha256` names: the signature is
checked before the first byte is read, the body while it arrives.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from mayfly.errors import CallerError
from mayfly.images.errors import ImageError, ImageNotFoundError, ImagesUnavailableError
from mayfly.images.records import Named
from mayfly.images.reference import OWN
from mayfly.images.service import Images
from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.wire.signed import NotSignedError, SignedRequests

SERVICE = "mayfly"


class AlteredUploadError(CallerError):
    """What arrived is not what was signed."""


class ImagePages:
    """See the module."""

    def __init__(self, signed: SignedRequests, images: Images) -> None:
        self._signed = signed
        self._images = images

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {"images": self.answer}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of any method."""
        if reason := await self._refusal(request):
            return _json(403, {"message": f"Access denied: {reason}."})
        names = parse_qs(request.query).get("name", [])
        try:
            if request.method == "GET":
                return _json(200, {"images": [_shown(each) for each in await self._images.names()]})
            if request.method not in ("POST", "DELETE"):
                return _json(405, {"message": "images are listed (GET), imported (POST) and removed (DELETE)"})
            if len(names) != 1:
                return _json(400, {"message": "which image? say ?name=NAME:TAG"})
            if request.method == "DELETE":
                await self._images.forget(names[0])
                return _json(200, {})
            return _json(200, _shown(await self._images.take(names[0], _verified(request))))
        except ImageNotFoundError as error:
            return _json(404, {"message": str(error)})
        except (ImageError, AlteredUploadError) as error:
            return HttpResponse(400, [("content-type", "application/json")], _message(error), close=True)
        except ImagesUnavailableError as error:
            return HttpResponse(503, [("content-type", "application/json")], _message(error), close=True)

    async def _refusal(self, request: HttpRequest) -> str | None:
        """None for a request of the root key's owner; else why it is refused."""
        try:
            principal = await self._signed.principal(request, None if request.method == "POST" else b"", SERVICE)
        except NotSignedError as error:
            return str(error)
        return None if principal.kind == "root" else "only the account's root key may do this"


async def _verified(request: HttpRequest) -> AsyncIterator[bytes]:
    """The body, which ends with an error unless it has the hash that was signed."""
    hasher = hashlib.sha256()
    async for chunk in request.body:
        hasher.update(chunk)
        yield chunk
    if not hmac.compare_digest(hasher.hexdigest(), request.header("x-amz-content-sha256") or ""):
        raise AlteredUploadError("the archive that arrived is not the one that was signed; import it again")


def _shown(named: Named) -> dict[str, Any]:
    return {
        "name": f"{named.name}:{named.tag}",
        "uri": f"{OWN}/{named.name}:{named.tag}",
        "digest": f"sha256:{named.image.digest}",
        "bytes": named.image.size,
        "architecture": named.image.architecture,
        "imported_at": named.changed_at,
    }


def _json(status: int, value: object) -> HttpResponse:
    return HttpResponse(status, [("content-type", "application/json")], msgspec.json.encode(value))


def _message(error: Exception) -> bytes:
    return msgspec.json.encode({"message": str(error)})
