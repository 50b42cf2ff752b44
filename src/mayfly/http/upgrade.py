"""A request that asks for another protocol, read on in this one, as a server may.

httptools stops at such a request, and takes whatever follows its head, its body too, for the other protocol. So the
rest is given to a new parser behind a head that says the same of the body and asks for nothing.
"""

from typing import Protocol

import httptools

_FRAMING = frozenset({"content-length", "transfer-encoding"})


class Parsing(Protocol):
    """Who is told what the parser finds."""

    def on_message_begin(self) -> None: ...
    def on_url(self, url: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


class _Silent:
    """Lets everything through but the first head."""

    def __init__(self, to: Parsing) -> None:
        self._to = to
        self._begun = False
        self.on_body = to.on_body
        self.on_message_complete = to.on_message_complete

    def on_message_begin(self) -> None:
        if self._begun:
            self._to.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._begun:
            self._to.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._begun:
            self._to.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._begun:
            self._to.on_headers_complete()
        self._begun = True


def resumed(to: Parsing, headers: list[tuple[str, str]]) -> httptools.HttpRequestParser:
    """A parser that stands at the body of a request with these headers; `httptools.HttpParserError`."""
    parser = httptools.HttpRequestParser(_Silent(to))
    framing = "".join([f"{name}: {value}\r\n" for name, value in headers if name in _FRAMING])
    parser.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n".encode("latin-1"))
    return parser
