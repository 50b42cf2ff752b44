"""Who may do what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mayfly.services.contract import HttpRequest, Principal


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What is needed to verify a signature made with an access key."""

    secret_access_key: str
    principal: Principal
    expires_at: float = float("inf")  # Unix seconds


class KeySource(Protocol):
    """Given by identity, used by the wire."""

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        """The key; `ServiceError` InvalidClientTokenId (unknown key, bad token) or ExpiredToken.

        Fast: keys in use are answered from memory.
        """


class Roles(Protocol):
    """Given by identity, used by functions."""

    async def exists(self, role_arn: str) -> bool: ...

    async def trusts(self, role_arn: str, service: str) -> bool:
        """Whether the role's trust policy lets `service` ("lambda.amazonaws.com") assume it."""

    async def credentials(self, role_arn: str, session_name: str, duration_s: int) -> Credentials:
        """Fresh credentials of a role for a platform service; `ServiceError` NoSuchEntity."""


class Signatures(Protocol):
    """Given by the wire, used by functions and APIs: who signed a request."""

    async def principal(self, request: HttpRequest, body: bytes, service: str) -> Principal:
        """Who signed `request` for `service`; `CallerError` when nobody did, or the signature does not hold."""
