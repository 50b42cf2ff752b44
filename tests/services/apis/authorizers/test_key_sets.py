"""Keys of issuers: found, kept, and fetched again."""

import json
from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.outgoing.api import OutgoingError, Request, Response
from mayfly.services.apis.authorizers.key_sets import AGAIN_S, KEPT_S, KeySets, NoKeysError

ISSUER = "https://issuer.example/tenant"


class Web:
    """An issuer on the web, which counts what it is asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {
            f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": "https://keys.example/k"},
            "https://keys.example/k": {"keys": [{"kid": "one", "kty": "RSA"}, {"kty": "RSA"}, "x"]},
        }
        self.asked: list[str] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(request.url)
        page = self.pages.get(request.url)
        if page is None:
            raise OutgoingError("unreachable", "nobody is there")
        return Response(200, (), page if isinstance(page, bytes) else json.dumps(page).encode())


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def keys(web: Web, clock: ManualClock) -> KeySets:
    return KeySets(web, clock)


async def test_keys_are_found_by_discovery_and_kept(web: Web, keys: KeySets, clock: ManualClock) -> None:
    assert await keys.key(ISSUER, "one") == {"kid": "one", "kty": "RSA"}
    clock.advance(KEPT_S - 1)
    await keys.key(ISSUER, "one")
    assert len(web.asked) == 2
    clock.advance(2)
    await keys.key(ISSUER, "one")
    assert len(web.asked) == 4


async def test_a_new_key_is_fetched_but_not_for_everybody_who_names_one(
    web: Web, keys: KeySets, clock: ManualClock
) -> None:
    await keys.key(ISSUER, "one")
    web.pages["https://keys.example/k"] = {"keys": [{"kid": "two"}]}
    assert await keys.key(ISSUER, "two") is None
    assert len(web.asked) == 2
    clock.advance(AGAIN_S)
    assert await keys.key(ISSUER, "two") == {"kid": "two"}
    assert await keys.key(ISSUER, "one") is None
    for number in range(5):
        assert await keys.key(ISSUER, f"made-up-{number}") is None
    assert len(web.asked) == 4


async def test_keys_outlive_an_issuer_that_is_away_for_a_while(web: Web, keys: KeySets, clock: ManualClock) -> None:
    await keys.key(ISSUER, "one")
    web.pages.clear()
    clock.advance(AGAIN_S)
    assert await keys.key(ISSUER, "two") is None
    assert await keys.key(ISSUER, "one") is not None
    clock.advance(KEPT_S)
    with pytest.raises(NoKeysError, match="nobody is there"):
        await keys.key(ISSUER, "one")


@pytest.mark.parametrize(
    ("page", "content"),
    [
        (f"{ISSUER}/.well-known/openid-configuration", {"issuer": "https://evil.example", "jwks_uri": "x"}),
        (f"{ISSUER}/.well-known/openid-configuration", {"issuer": ISSUER}),
        (f"{ISSUER}/.well-known/openid-configuration", b"<html>"),
        ("https://keys.example/k", b"[]"),
        ("https://keys.example/k", b"[" * 100_000),
    ],
)
async def test_what_is_no_issuer_has_no_keys(web: Web, keys: KeySets, page: str, content: Any) -> None:
    web.pages[page] = content
    with pytest.raises(NoKeysError):
        await keys.key(ISSUER, "one")
