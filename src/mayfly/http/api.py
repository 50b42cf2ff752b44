"""What the front door and those who answer its requests share."""

from collections.abc import Awaitable, Callable

from mayfly.services.contract import HttpRequest, HttpResponse

# Whoever answers a request. It may raise `ClientGoneError` out of the request's body, which needs no reply, and
# `ElsewhereError` where the connection knows what to do then.
Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]


class ElsewhereError(Exception):
    """Another process is to answer this request; nothing was done about it yet."""


class ClientGoneError(ConnectionError):
    """The client closed the connection, was cut off, or spoiled its body in the middle of it."""
