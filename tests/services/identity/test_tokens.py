"""Session tokens: what was sealed comes back, and nothing else does."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.identity.tokens import (
    FILE_NAME,
    Session,
    TokenError,
    load_server_key,
    seal,
    session_secret,
    unseal,
    user_secret,
)

KEY = b"k" * 32
SESSION = Session("ASIAAAAAAAAAAAAAAAAA", "123456789012", "AROA1", "worker", "s1", 1_700_000_900)
sessions = st.builds(
    Session, st.text(), st.text(), st.text(), st.text(), st.text(), st.integers(0, 2**40), st.booleans()
)


@given(sessions)
def test_a_sealed_session_comes_back_whole(session: Session) -> None:
    assert unseal(KEY, seal(KEY, session)) == session


@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    token = seal(KEY, SESSION)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != token[at]))
    with pytest.raises(TokenError):
        unseal(KEY, token[:at] + other + token[at + 1 :])


@given(st.text() | st.text().map(lambda text: "MFY1" + text))
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        unseal(KEY, text)


def test_the_token_of_another_server_is_refused() -> None:
    with pytest.raises(TokenError):
        unseal(b"o" * 32, seal(KEY, SESSION))


def test_secrets_have_forty_characters_and_differ_by_key_and_by_purpose() -> None:
    found = {session_secret(KEY, "a"), session_secret(KEY, "b"), user_secret(KEY, "a"), user_secret(b"o" * 32, "a")}
    assert len(found) == 4
    assert {len(secret) for secret in found} == {40}


def test_the_servers_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    key = load_server_key(tmp_path)
    assert load_server_key(tmp_path) == key
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_servers_key_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    load_server_key(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"short")
    with pytest.raises(TokenError, match="backup"):
        load_server_key(tmp_path)
