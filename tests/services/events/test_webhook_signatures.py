"""Signatures of third parties, by their own documentation's rules."""

import hashlib
import hmac
from typing import Any

import pytest

from mayfly.services.events.webhook_signatures import Form, Scheme, verify
from mayfly.services.events.webhooks import UnreadableBodyError, detail_of

SECRET, BODY, NOW = b"It's a Secret to Everybody", b"Hello, World!", 1_700_000_000


def signed(text: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def genuine(scheme: Scheme, at: int = NOW) -> dict[str, str]:
    stamp = str(at).encode()
    if scheme == "github":
        return {"x-hub-signature-256": f"sha256={signed(BODY)}"}
    if scheme == "stripe":
        return {"stripe-signature": f"t={at},v1={signed(b'old', b'old')},v1={signed(stamp + b'.' + BODY)},v0=x"}
    if scheme == "slack":
        signature = f"v0={signed(b'v0:' + stamp + b':' + BODY)}"
        return {"x-slack-request-timestamp": str(at), "x-slack-signature": signature}
    return {"x-sig": f"hex {signed(stamp + b'.' + BODY)}", "x-time": str(at)}


FORM = Form("X-Sig", "hex ", "X-Time")
ALL: list[Scheme] = ["github", "stripe", "slack", "hmac"]
TIMED: list[Scheme] = ["stripe", "slack", "hmac"]


def test_githubs_own_example_is_genuine() -> None:
    known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert verify("github", Form(), SECRET, {"x-hub-signature-256": known}, BODY, NOW).reason == ""


@pytest.mark.parametrize("scheme", ALL)
def test_a_genuine_request_is_taken(scheme: Scheme) -> None:
    assert verify(scheme, FORM, SECRET, genuine(scheme), BODY, NOW).reason == ""


@pytest.mark.parametrize("scheme", ALL)
def test_another_body_another_secret_or_no_signature_is_not(scheme: Scheme) -> None:
    assert verify(scheme, FORM, SECRET, genuine(scheme), BODY + b" ", NOW).reason
    assert verify(scheme, FORM, SECRET + b"x", genuine(scheme), BODY, NOW).reason
    assert verify(scheme, FORM, SECRET, {}, BODY, NOW).reason
    garbled = {name: f"é{value}" for name, value in genuine(scheme).items()}
    assert verify(scheme, FORM, SECRET, garbled, BODY, NOW).reason


@pytest.mark.parametrize("scheme", TIMED)
@pytest.mark.parametrize(("age_s", "taken"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_a_request_is_good_for_five_minutes(scheme: Scheme, age_s: int, taken: bool) -> None:
    verdict = verify(scheme, FORM, SECRET, genuine(scheme, NOW - age_s), BODY, NOW)
    assert (verdict.reason == "") is taken


@pytest.mark.parametrize("scheme", TIMED)
def test_a_signature_names_itself_so_that_it_is_used_once_while_it_is_good(scheme: Scheme) -> None:
    first = verify(scheme, FORM, SECRET, genuine(scheme), BODY, NOW)
    again = verify(scheme, FORM, SECRET, genuine(scheme), BODY, NOW + 100)
    later = verify(scheme, FORM, SECRET, genuine(scheme, NOW + 1), BODY, NOW + 100)
    assert first.used == again.used != later.used
    assert first.until == NOW + 300


def test_the_general_way_without_a_time_is_the_body_alone() -> None:
    headers = {"x-signature-256": f"sha256={signed(BODY)}"}
    assert verify("hmac", Form(), SECRET, headers, BODY, NOW).reason == ""
    assert verify("hmac", Form(), SECRET, headers, BODY, NOW).used == ""


@pytest.mark.parametrize(
    ("content_type", "body", "detail"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/json", b"[1]", {"data": [1]}),
        ("application/x-www-form-urlencoded", b"payload=%7B%22a%22%3A1%7D", {"a": 1}),
        ("application/x-www-form-urlencoded; charset=utf-8", b"command=%2Fgo&text=", {"command": "/go", "text": ""}),
    ],
)
def test_bodies_become_details(content_type: str, body: bytes, detail: Any) -> None:
    assert detail_of({"content-type": content_type}, body) == detail


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_bodies_that_are_neither_json_nor_forms_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableBodyError):
        detail_of({"content-type": "application/json"}, body)
