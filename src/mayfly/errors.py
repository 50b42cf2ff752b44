"""The three families of failure: the caller's, the function's and the platform's.

Every exception that Mayfly raises on purpose descends from one of them, so that a boundary can tell whom to blame
without knowing the details. A message says the cause, and the cure where there is one. Nothing here knows the wire;
`services.contract.ServiceError` is where a failure gets its wire form.
"""


class MayflyError(Exception):
    """Base of everything that Mayfly raises on purpose."""


class CallerError(MayflyError):
    """The request was wrong: repeating it unchanged gives the same answer."""


class FunctionFailedError(MayflyError):
    """User code failed: it raised, died, ran out of time or out of memory."""


class PlatformError(MayflyError):
    """Mayfly or the machine under it failed: a later try may succeed."""
