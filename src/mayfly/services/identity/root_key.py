"""The account's root access key in its file: made at the first start, read by the server and by the command line.

The file is `root-key.json` in the data directory, readable by its owner alone. It is written once, atomically: a
start that is interrupted leaves either no key or a whole one.
"""

import os
import re
import secrets
import stat
import string
from pathlib import Path

import msgspec

from mayfly.errors import CallerError, PlatformError
from mayfly.ids import token

FILE_NAME = "root-key.json"
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SECRET_ALPHABET = string.ascii_letters + string.digits + "+/"


class RootKeyError(CallerError):
    """The root key that was given, or the file that should hold it, cannot be used; the message says what to do."""


class PrivateFileError(PlatformError):
    """A file that holds a secret could be read by others."""


class RootKey(msgspec.Struct, frozen=True):
    """The key that may do everything in `account`."""

    account: str  # 12 digits
    access_key_id: str
    secret_access_key: str


def new_access_key_id(prefix: str) -> str:
    """A fresh access key id of 20 characters: `prefix` (`AKIA`, `ASIA`) and 16 random ones of AWS's alphabet."""
    return prefix + token(20 - len(prefix), _ID_ALPHABET)


def read_root_key(data: Path) -> RootKey | None:
    """The key in data directory `data`; None before the first start. `RootKeyError`, `PrivateFileError`."""
    path = data / FILE_NAME
    try:
        content = read_private(path)
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=RootKey)
    except msgspec.MsgspecError as error:
        raise RootKeyError(f"{path} does not hold a root key ({error}); restore it from a backup") from error


def ensure_root_key(data: Path, account: str) -> RootKey:
    """The key in `data`, made now if there is none. `RootKeyError` if it belongs to another account."""
    key = read_root_key(data)
    if key is None:
        secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))
        made = RootKey(account, new_access_key_id("AKIA"), secret)
        key = msgspec.json.decode(ensure_private(data / FILE_NAME, msgspec.json.encode(made)), type=RootKey)
    if key.account != account:
        raise RootKeyError(
            f"{data} holds the state of account {key.account}, not of {account}; "
            f"start with --account {key.account}, or on another --data"
        )
    return key


def given_root_key(account: str, access_key_id: str, secret_access_key: str) -> RootKey:
    """A key that the configuration gives, checked. It is used instead of the one in the file and stored nowhere."""
    if not re.fullmatch(r"\w{1,128}", access_key_id, re.ASCII):
        raise RootKeyError(f"the access key id must be 1 to 128 letters, digits and underscores: {access_key_id!r}")
    if access_key_id.startswith("ASIA"):
        raise RootKeyError("the access key id must not begin with ASIA: such ids belong to temporary credentials")
    if not secret_access_key:
        raise RootKeyError("an access key id was given without its secret access key")
    return RootKey(account, access_key_id, secret_access_key)


def read_private(path: Path) -> bytes:
    """The bytes of `path`; `PrivateFileError` if anybody but its owner may read or write it."""
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise PrivateFileError(
                f"{path} holds a secret and is open to others (mode {mode:o}); run: chmod 600 {path}"
            )
        return file.read()


def ensure_private(path: Path, content: bytes) -> bytes:
    """Write `content` to `path` with mode 0600, durably, unless the file exists; what it holds afterwards.

    The name appears only when the bytes are on the disk, and a concurrent start cannot replace what another made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return read_private(path)
    finally:
        draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return content
