"""Bodies that travel compressed, for APIs with a minimumCompressionSize. Pure; `RefusedError`."""

import gzip
import zlib

from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.apis.rest.serving.refusals import RefusedError
from mayfly.services.contract import HttpResponse


def unpacked(arrival: Arrival, most: int) -> bytes:
    """The body of a request, as what it is."""
    coding = (arrival.header("content-encoding") or "").strip().lower()
    if arrival.view.api.head.minimum_compression_size is None or coding not in ("gzip", "deflate"):
        return arrival.body
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | (16 if coding == "gzip" else 0))
    try:
        found = unpacking.decompress(arrival.body, most + 1)
    except zlib.error:
        raise RefusedError("DEFAULT_4XX", "Bad Request", 400, f"the body is not {coding}") from None
    if len(found) > most:
        raise RefusedError("REQUEST_TOO_LARGE", f"HTTP content length exceeded {most} bytes.")
    for name in [name for name in arrival.headers if name.lower() == "content-encoding"]:
        del arrival.headers[name]
    return found


def packed(arrival: Arrival, response: HttpResponse) -> HttpResponse:
    """The response as the client takes it."""
    least, body = arrival.view.api.head.minimum_compression_size, response.body
    if least is None or not isinstance(body, bytes) or not body or len(body) < least:
        return response
    accepted = [one.partition(";")[0].strip().lower() for one in (arrival.header("accept-encoding") or "").split(",")]
    if any(name == "content-encoding" for name, _ in response.headers):
        return response
    coding = next((one for one in ("gzip", "deflate") if one in accepted), None)
    if coding is None:
        return response
    small = gzip.compress(body, 6, mtime=0) if coding == "gzip" else zlib.compress(body, 6)
    return HttpResponse(response.status, [*response.headers, ("content-encoding", coding)], small, response.close)
