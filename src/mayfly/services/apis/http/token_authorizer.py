"""Authorizers of HTTP APIs that ask for a JSON Web Token."""

import logging
from collections.abc import Sequence

from mayfly.clock import Clock
from mayfly.services.apis.authorizers import tokens
from mayfly.services.apis.authorizers.key_sets import KeySets, NoKeysError
from mayfly.services.apis.authorizers.tokens import Claims, TokenError
from mayfly.services.apis.http import refusals
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.apis.http.identity_sources import Source

_BEARER = "bearer "
_log = logging.getLogger(__name__)


class TokenAuthorizer:
    """`Authorize` for one route."""

    def __init__(
        self, keys: KeySets, clock: Clock, source: Source, issuer: str, audiences: Sequence[str], scopes: Sequence[str]
    ) -> None:
        """`scopes`: of which a token must have one; none: it need have none."""
        self._keys = keys
        self._clock = clock
        self._source = source
        self._issuer = issuer
        self._audiences = audiences
        self._scopes = scopes

    async def authorize(self, exchange: Exchange) -> None:
        """See `compiled.Authorize`."""
        given = (self._source(exchange) or "").strip()
        if given[: len(_BEARER)].lower() == _BEARER:
            given = given[len(_BEARER) :].strip()
        if not given:
            raise self._unauthorized(exchange, "", "no token")
        try:
            claims = await self._claims(given)
        except TokenError as error:
            raise self._unauthorized(exchange, "invalid_token", str(error)) from error
        except NoKeysError as error:
            _log.warning("tokens of %s cannot be checked: %s", self._issuer, error)
            raise self._unauthorized(
                exchange, "invalid_token", "OIDC discovery endpoint communication error"
            ) from error
        if self._scopes and not set(self._scopes) & set(tokens.scopes(claims)):
            exchange.authorizer_error = "insufficient_scope"
            challenge = self._challenge("insufficient_scope", "the token does not have any of the required scopes")
            raise refusals.GatewayError(403, "Forbidden", "ACCESS_DENIED", headers=[challenge])
        exchange.authorizer = {"jwt": {"claims": tokens.shown(claims), "scopes": list(self._scopes) or None}}

    async def _claims(self, text: str) -> Claims:
        """What a token claims that holds; `TokenError`, `NoKeysError`."""
        token = tokens.parse(text)
        # Before its key is asked for, so that tokens of others cost nothing.
        tokens.check_claims(token.claims, self._issuer, self._audiences, self._clock.now())
        key = await self._keys.key(self._issuer, token.key_id)
        if key is None:
            raise TokenError("the key of the token is unknown to its issuer")
        tokens.check_signature(token, key)
        return token.claims

    def _unauthorized(self, exchange: Exchange, error: str, why: str) -> refusals.GatewayError:
        exchange.authorizer_error = why
        return refusals.unauthorized(why, [self._challenge(error, why)])

    def _challenge(self, error: str, why: str) -> tuple[str, str]:
        """See RFC 6750, section 3."""
        if not error:
            return "www-authenticate", "Bearer"
        said = why.replace('"', "'")
        scope = " ".join(self._scopes)
        return "www-authenticate", f'Bearer scope="{scope}" error="{error}" error_description="{said}"'
