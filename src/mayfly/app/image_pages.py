"""The platform's own images over HTTP, `/_mayfly/images`: what `mayfly image` speaks to. For the account's root key.

    GET                     what there is
    POST ?name=NAME:TAG     the body is an archive: `docker save`'s, or a tar file of an OCI layout
    DELETE ?name=NAME:TAG   take the name away

An upload is signed over the SHA-256 of its body, which its header `x-amz-content-sha256` names: the signature is
checked before the first byte is read, the body while it arrives.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from mayfly.app import own
from mayfly.images.errors import ImageError, ImageNotFoundError, ImagesUnavailableError
from mayfly.images.records import Named
from mayfly.images.reference import OWN
from mayfly.images.service import Images
from mayfly.services.contract import HttpRequest, HttpResponse
from mayfly.wire.signed import SignedRequests


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
        body = None if request.method == "POST" else b""
        if refused := await own.refusal(self._signed, request, body):
            return refused
        names = parse_qs(request.query).get("name", [])
        try:
            if request.method == "GET":
                return own.shown({"images": [_shown(each) for each in await self._images.names()]})
            if request.method not in ("POST", "DELETE"):
                return own.said(405, "images are listed (GET), imported (POST) and removed (DELETE)")
            if len(names) != 1:
                return own.said(400, "which image? say ?name=NAME:TAG")
            if request.method == "DELETE":
                await self._images.forget(names[0])
                return own.shown({})
            return own.shown(_shown(await self._images.take(names[0], own.verified(request))))
        except ImageNotFoundError as error:
            return own.said(404, str(error))
        except (ImageError, own.AlteredBodyError) as error:
            return own.said(400, str(error), close=True)
        except ImagesUnavailableError as error:
            return own.said(503, str(error), close=True)


def _shown(named: Named) -> dict[str, Any]:
    return {
        "name": f"{named.name}:{named.tag}",
        "uri": f"{OWN}/{named.name}:{named.tag}",
        "digest": f"sha256:{named.image.digest}",
        "bytes": named.image.size,
        "architecture": named.image.architecture,
        "imported_at": named.changed_at,
    }
