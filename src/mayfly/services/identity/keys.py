"""`ports.KeySource`: from an access key id (and a session token) to the secret and the principal behind it.

Keys in use are answered from a bounded cache. An entry is good until its session expires; when a role or an access
key changes, `forget` empties the cache, so a deleted role's sessions end at once. A look-up that overlaps a change is
answered but not kept.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from mayfly.clock import Clock
from mayfly.ids import PARTITION
from mayfly.services.contract import Principal
from mayfly.services.identity import statements
from mayfly.services.identity.faults import expired_token, invalid_token
from mayfly.services.identity.model import Role, User, session_arn
from mayfly.services.identity.root_key import RootKey
from mayfly.services.identity.tokens import Session, TokenError, session_secret, unseal, user_secret
from mayfly.services.ports import SigningKey
from mayfly.store.api import Reader, Row, Store

_CACHE_SIZE = 4096


class _Known(NamedTuple):
    key: SigningKey
    expires_at: float  # Unix seconds; infinity for a long-term key


class Keys:
    def __init__(self, store: Store, clock: Clock, root: RootKey, server_key: bytes) -> None:
        self._store = store
        self._clock = clock
        self._server_key = server_key
        self._root_id = root.access_key_id
        arn = f"arn:{PARTITION}:iam::{root.account}:root"
        self._root = SigningKey(
            root.secret_access_key, Principal("root", root.account, arn, root.account, root.access_key_id)
        )
        self._cache: OrderedDict[tuple[str, bytes], _Known] = OrderedDict()
        self._generation = 0
        self._on_forget: Callable[[], None] = lambda: None

    def watch(self, on_forget: Callable[[], None]) -> None:
        """Call `on_forget` whenever what was known of keys is no longer to be relied on."""
        self._on_forget = on_forget

    def forget(self) -> None:
        """Drop what is cached: a role or a key changed."""
        self._generation += 1
        self._cache.clear()
        self._on_forget()

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        """The key; `ServiceError` InvalidClientTokenId or ExpiredToken."""
        if access_key_id == self._root_id and session_token is None:
            return self._root
        slot = (access_key_id, hashlib.sha256((session_token or "").encode()).digest())
        known = self._cache.get(slot)
        if known is None:
            generation = self._generation
            known = await self._look_up(access_key_id, session_token)
            if generation == self._generation:
                self._keep(slot, known)
        else:
            self._cache.move_to_end(slot)
        if known.expires_at <= self._clock.now():
            self._cache.pop(slot, None)
            raise expired_token()
        return known.key

    def _keep(self, slot: tuple[str, bytes], known: _Known) -> None:
        self._cache[slot] = known
        self._cache.move_to_end(slot)
        while len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)

    async def _look_up(self, access_key_id: str, session_token: str | None) -> _Known:
        if session_token is not None:
            return await self._session(access_key_id, session_token)
        user = await self._store.read(lambda reader: _active_user(reader, access_key_id))
        if user is None:
            raise invalid_token()
        principal = Principal("user", user.account, user.arn, user.id, access_key_id)
        return _Known(SigningKey(user_secret(self._server_key, access_key_id), principal), float("inf"))

    async def _session(self, access_key_id: str, token: str) -> _Known:
        try:
            session = unseal(self._server_key, token)
        except TokenError as error:
            raise invalid_token() from error
        if session.access_key_id != access_key_id:
            raise invalid_token()
        if session.expires_at <= self._clock.now():
            raise expired_token()
        role = await self._store.read(lambda reader: reader.one(statements.ROLE_BY_ID, {"id": session.role_id}))
        if role is None:
            raise invalid_token()
        return _Known(
            SigningKey(session_secret(self._server_key, token), _principal(session, role), session.expires_at),
            session.expires_at,
        )


def _active_user(reader: Reader, access_key_id: str) -> User | None:
    key = reader.one(statements.KEY_BY_ID, {"id": access_key_id})
    if key is None:
        return None
    user_id, status = key
    user = reader.one(statements.USER_BY_ID, {"id": user_id})
    return User(*user) if user is not None and status == "Active" else None


def _principal(session: Session, row: Row) -> Principal:
    role = Role(*row)
    return Principal(
        "assumed-role",
        role.account,
        session_arn(role.account, role.name, session.name),
        f"{role.id}:{session.name}",
        session.access_key_id,
    )
