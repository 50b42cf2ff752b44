"""The wire's own refusals, in words that every codec shares.

A codec raises these while it decodes; the gateway and the codec's `error` function give them their form on the wire.
"""

from mayfly.services.contract import ServiceError


class MalformedRequestError(ServiceError):
    """The body or a parameter cannot be decoded: `SerializationException`, `MalformedXML`, `MalformedInput`, ..."""


def serialization(message: str) -> MalformedRequestError:
    """What JSON services answer to JSON of the wrong syntax or the wrong types."""
    return MalformedRequestError("SerializationException", message, status=400)
