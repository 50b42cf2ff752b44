"""The root key and its file."""

import stat
from pathlib import Path

import pytest

from mayfly.services.identity.root_key import (
    FILE_NAME,
    PrivateFileError,
    RootKeyError,
    ensure_private,
    ensure_root_key,
    given_root_key,
    read_root_key,
)
from mayfly.services.identity.service import Secrets


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    key = ensure_root_key(tmp_path, "000000000000")
    assert key.access_key_id.startswith("AKIA")
    assert len(key.access_key_id) == 20
    assert len(key.secret_access_key) == 40
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_later_start_finds_the_same_key_and_leaves_no_drafts(tmp_path: Path) -> None:
    assert ensure_root_key(tmp_path, "000000000000") == ensure_root_key(tmp_path, "000000000000")
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_there_is_no_key_before_the_first_start(tmp_path: Path) -> None:
    assert read_root_key(tmp_path) is None


def test_a_key_file_that_others_can_read_is_refused_with_the_cure(tmp_path: Path) -> None:
    ensure_root_key(tmp_path, "000000000000")
    (tmp_path / FILE_NAME).chmod(0o644)
    with pytest.raises(PrivateFileError, match="chmod 600"):
        read_root_key(tmp_path)


def test_a_damaged_key_file_is_refused_and_not_replaced(tmp_path: Path) -> None:
    ensure_private(tmp_path / FILE_NAME, b'{"account": 1}')
    with pytest.raises(RootKeyError, match="does not hold a root key"):
        ensure_root_key(tmp_path, "000000000000")
    assert (tmp_path / FILE_NAME).read_bytes() == b'{"account": 1}'


def test_the_data_of_one_account_is_not_opened_as_another(tmp_path: Path) -> None:
    ensure_root_key(tmp_path, "111111111111")
    with pytest.raises(RootKeyError, match="111111111111"):
        ensure_root_key(tmp_path, "222222222222")


def test_of_two_starts_at_once_both_get_the_key_that_was_first(tmp_path: Path) -> None:
    assert ensure_private(tmp_path / "secret", b"first") == b"first"
    assert ensure_private(tmp_path / "secret", b"second") == b"first"


def test_a_key_that_is_given_is_used_and_written_nowhere(tmp_path: Path) -> None:
    secrets = Secrets.load(tmp_path, "000000000000", "test", "s3cret")
    assert (secrets.root.access_key_id, secrets.root.secret_access_key) == ("test", "s3cret")
    assert read_root_key(tmp_path) is None


@pytest.mark.parametrize(("key", "secret"), [("", "x"), ("a/b", "x"), ("ASIA" + "A" * 16, "x"), ("AKIA1", "")])
def test_a_key_that_cannot_work_is_refused(key: str, secret: str) -> None:
    with pytest.raises(RootKeyError):
        given_root_key("000000000000", key, secret)


def test_half_a_key_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RootKeyError):
        Secrets.load(tmp_path, "000000000000", None, "secret-alone")
