"""What a client asks of an HTTP proxy: a tunnel (`CONNECT`), or one request that is passed on. Sans-IO; RFC 9110, 9112.

Used by `outlet`. A request that is passed on is the last one of its connection, so nothing that a client sends after it
can be meant for anybody else than who the first was for.
"""

from dataclasses import dataclass

import httptools

MOST_HEAD = 16 * 1024
END = b"\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_MEANT_FOR_THE_PROXY = frozenset((b"connection", b"keep-alive", b"host", b"te", b"trailer", b"upgrade"))
_REASONS = {
    400: b"Bad Request",
    403: b"Forbidden",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    502: b"Bad Gateway",
}


class BadRequestError(ValueError):
    """A head that asks nothing of a proxy; the message is for the client."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Where to, and what is to be sent there first; nothing for a tunnel."""

    host: str
    port: int
    head: bytes
    tunnel: bool


def asked(head: bytes) -> Asked:
    """Read a head up to and with its `END`; `BadRequestError`."""
    reading = _Reading()
    parser = httptools.HttpRequestParser(reading)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # what follows a CONNECT
    except httptools.HttpParserError as error:
        raise BadRequestError("this is no request of HTTP/1.1") from error
    if not reading.complete:
        raise BadRequestError("this is no request of HTTP/1.1")
    method = parser.get_method()
    if method == b"CONNECT":
        host, port = _authority(reading.target)
        return Asked(host, port, b"", tunnel=True)
    return _passed_on(method, reading)


def answer(status: int, why: str) -> bytes:
    """A response of the proxy's own, the last one of its connection."""
    body = f"{why}\n".encode()
    head = (
        b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    )
    return head % (status, _REASONS[status], len(body)) + body


class _Reading:
    """What httptools finds."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


def _authority(target: bytes) -> tuple[str, int]:
    """The host and port of a CONNECT."""
    text = target.decode("latin-1")
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not (colon and host and port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise BadRequestError("CONNECT takes HOST:PORT")
    return host, int(port)


def _passed_on(method: bytes, reading: _Reading) -> Asked:
    try:
        url = httptools.parse_url(reading.target)
    except httptools.HttpParserError as error:
        raise BadRequestError("a proxy is asked for a whole URL") from error
    if (url.schema or b"").lower() != b"http" or not url.host or url.userinfo is not None:
        raise BadRequestError(
            "a proxy is asked for a whole URL, http://HOST/PATH; for others it makes tunnels (CONNECT)"
        )
    host, port = url.host.decode("latin-1"), url.port or 80
    shown = f"[{host}]" if ":" in host else host
    path = (url.path or b"/") + (b"?" + url.query if url.query is not None else b"")
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: " + f"{shown}:{port}".encode("latin-1")]
    named = {
        word.strip().lower()
        for name, value in reading.headers
        if name.lower() == b"connection"
        for word in value.split(b",")
    }
    for name, value in reading.headers:
        lowered = name.lower()
        if lowered not in _MEANT_FOR_THE_PROXY and lowered not in named and not lowered.startswith(b"proxy-"):
            lines.append(name + b": " + value)
    return Asked(host, port, b"\r\n".join([*lines, b"Connection: close"]) + END, tunnel=False)
