"""The key that secrets are sealed with, and what it is good for."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.app.vault import FileVault, SecretLostError
from mayfly.errors import PlatformError
from tests.conftest import VAULT


@given(plain=st.binary(max_size=3000), about=st.text(max_size=40))
def test_what_is_sealed_for_a_use_is_opened_for_that_use_alone(plain: bytes, about: str) -> None:
    sealed = VAULT.seal(plain, about)
    assert VAULT.open(sealed, about) == plain
    assert sealed != VAULT.seal(plain, about)
    for other in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:5], b""):
        with pytest.raises(SecretLostError):
            VAULT.open(other, about)
    with pytest.raises(SecretLostError):
        VAULT.open(sealed, about + "!")


@given(
    plain=st.binary(max_size=100), other=st.binary(max_size=100), about=st.text(max_size=10), use=st.text(max_size=10)
)
def test_a_fingerprint_is_the_same_for_the_same_secret_and_use_and_no_other(
    plain: bytes, other: bytes, about: str, use: str
) -> None:
    same = (plain, about) == (other, use)
    assert (VAULT.fingerprint(plain, about) == VAULT.fingerprint(other, use)) == same
    assert len(VAULT.fingerprint(plain, about)) == 32


def test_fingerprints_of_another_key_are_others_and_those_of_the_same_key_stay(tmp_path: Path) -> None:
    one = FileVault(tmp_path / "one").fingerprint(b"secret", "use")
    assert FileVault(tmp_path / "one").fingerprint(b"secret", "use") == one
    assert FileVault(tmp_path / "two").fingerprint(b"secret", "use") != one


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    vault = FileVault(path)
    vault.check()
    assert not path.exists()
    vault.seal(b"secret", "use")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    vault.check()
    assert [found.name for found in tmp_path.iterdir()] == ["secrets.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secrets.key"
    FileVault(path).seal(b"secret", "use")
    path.chmod(mode)
    for ask in (FileVault(path).check, lambda: FileVault(path).seal(b"secret", "use")):
        with pytest.raises(PlatformError, match=f"run: chmod 600 {path}"):
            ask()


def test_half_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    path.write_bytes(b"half")
    path.chmod(0o600)
    with pytest.raises(SecretLostError, match="holds no key of 32 bytes; restore it"):
        FileVault(path).check()
