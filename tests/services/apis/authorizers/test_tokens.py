"""Which tokens hold."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.authorizers import tokens
from mayfly.services.apis.authorizers.tokens import TokenError
from tests.services.apis.authorizers.issuer import SigningKey, encoded

ISSUER = "https://issuer.example"
NOW = 1_700_000_000.0
CLAIMS = {"iss": ISSUER, "aud": "me", "exp": NOW + 60, "sub": "u"}
KEY = SigningKey("RS256", "one")


def check(text: str, key: Mapping[str, Any] = KEY.public, now: float = NOW) -> dict[str, Any]:
    token = tokens.parse(text)
    tokens.check_claims(token.claims, ISSUER, ["me", "you"], now)
    tokens.check_signature(token, key)
    return token.claims


@pytest.mark.parametrize("algorithm", sorted(tokens.ALGORITHMS))
def test_a_token_holds_that_its_issuers_key_has_signed(algorithm: str) -> None:
    key = SigningKey(algorithm, "k")
    assert check(key.token(CLAIMS), key.public) == CLAIMS


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://other.example"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "him"}, "audience"),
        ({"aud": ["him"]}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": None, "client_id": "him"}, "audience"),
        ({"exp": NOW}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"nbf": NOW + 3600}, "not valid yet"),
        ({"iat": NOW + 3600}, "future"),
    ],
)
def test_a_token_that_is_not_for_us_now_is_refused(claims: dict[str, Any], why: str) -> None:
    with pytest.raises(TokenError, match=why):
        check(KEY.token({**CLAIMS, **claims}))


@pytest.mark.parametrize(
    "claims", [{"aud": ["him", "you"]}, {"aud": None, "client_id": "me"}, {"nbf": NOW + 30, "iat": NOW + 30}]
)
def test_audiences_may_be_several_and_clocks_a_little_ahead(claims: dict[str, Any]) -> None:
    check(KEY.token({**CLAIMS, **claims}))


def test_a_token_without_a_signature_is_refused_whatever_its_header_says() -> None:
    body = encoded(json.dumps(CLAIMS).encode())
    for algorithm in ("none", "None", "HS256", "", None, 7, "EdDSA"):
        header = encoded(json.dumps({"alg": algorithm, "kid": "one"}).encode())
        for signature in ("", encoded(b"x")):
            with pytest.raises(TokenError, match="signing method"):
                check(f"{header}.{body}.{signature}")


def test_a_public_key_is_no_shared_secret_nor_a_key_for_another_method() -> None:
    with pytest.raises(TokenError):
        check(KEY.token(CLAIMS, alg="PS256"))
    with pytest.raises(TokenError):
        check(KEY.token(CLAIMS, alg="ES256"), {**KEY.public, "alg": "ES256"})
    with pytest.raises(TokenError):
        check(SigningKey("ES256", "one").token(CLAIMS))
    with pytest.raises(TokenError, match="not for its signing method"):
        check(KEY.token(CLAIMS), {**KEY.public, "use": "enc"})


def test_a_changed_token_is_refused() -> None:
    head, body, signature = KEY.token(CLAIMS).split(".")
    other = encoded(json.dumps({**CLAIMS, "sub": "admin"}).encode())
    with pytest.raises(TokenError, match="signature is invalid"):
        check(f"{head}.{other}.{signature}")
    with pytest.raises(TokenError):
        check(f"{head}.{body}.")


def test_a_short_key_is_refused() -> None:
    short = SigningKey("RS256", "one", 1024)
    with pytest.raises(TokenError, match="too short"):
        check(short.token(CLAIMS), short.public)


def test_a_header_that_names_no_key_or_asks_for_more_is_refused() -> None:
    for header in ({"kid": None}, {"kid": ""}, {"crit": ["b64"]}):
        with pytest.raises(TokenError):
            check(KEY.token(CLAIMS, **header))


@given(st.text())
def test_any_text_is_a_token_or_an_error(text: str) -> None:
    with pytest.raises(TokenError):
        check(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_any_key_of_an_issuer_is_usable_or_an_error(part: Any) -> None:
    for name in ("kty", "n", "e"):
        with pytest.raises(TokenError):
            check(KEY.token(CLAIMS), {**KEY.public, name: part})


def test_claims_are_shown_as_text() -> None:
    claims = {"a": "x", "n": 12, "f": 1612061676.0, "b": True, "l": ["a", "b"], "o": {"k": 1}}
    assert tokens.shown(claims) == {"a": "x", "n": "12", "f": "1612061676", "b": "true", "l": "[a b]", "o": '{"k": 1}'}


def test_scopes_are_a_text_or_a_list() -> None:
    assert tokens.scopes({"scope": "a b"}) == tokens.scopes({"scp": ["a", "b", 1]}) == ["a", "b"]
    assert tokens.scopes({}) == []
