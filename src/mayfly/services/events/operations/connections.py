"""Connections: create, update, describe, list, deauthorize, delete."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.events import connection_records as records
from mayfly.services.events import connections, errors, paging
from mayfly.services.events.connection_authorizer import Authorizer, packed, secret_of
from mayfly.services.events.connections import Connection, ConnectionKey, Given, Kind, State
from mayfly.services.ports import Vault
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events

MOST = 3000


class ConnectionOperations:
    """Secrets go in and never come out. One of OAuth is authorized by asking for a token, which takes a while."""

    def __init__(
        self, store: Store, vault: Vault, authorizer: Authorizer, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._store = store
        self._vault = vault
        self._authorizer = authorizer
        self._clock = clock
        self._new_id = new_id

    @operation("CreateConnection")
    async def create(self, context: RequestContext, request: "events.CreateConnectionRequestTypeDef") -> dict[str, Any]:
        key = ConnectionKey(context.account, context.region, request["Name"])
        _refuse_infrastructure(request)
        kind: Kind = request["AuthorizationType"]
        said = connections.given(kind, request["AuthParameters"])
        now = self._clock.now()
        state = _state(kind)
        connection = _made(
            Connection(
                self._new_id(),
                kind,
                state,
                now,
                now,
                authorized_at=now,
                description=request.get("Description"),
            ),
            said,
        )
        arn = key.arn(connection.id)
        sealed = self._vault.seal(packed(said.secret), arn)

        def body(tx: Tx) -> None:
            if records.find_connection(tx, key) is not None:
                raise errors.exists("Connection", key.name)
            if records.count(tx, records.COUNT_CONNECTIONS, key.account, key.region) >= MOST:
                raise errors.limit()
            records.put_connection(tx, key, connection, sealed)
            tx.after_commit(self._authorizer.wake)

        await self._store.write(body)
        made = _changed(key, connection)
        made.pop("LastAuthorizedTime", None)  # which the model has in every other answer
        return made

    @operation("UpdateConnection")
    async def update(self, context: RequestContext, request: "events.UpdateConnectionRequestTypeDef") -> dict[str, Any]:
        key = ConnectionKey(context.account, context.region, request["Name"])
        _refuse_infrastructure(request)

        def body(tx: Tx) -> Connection:
            stored = records.connection_of(tx, key)
            known, arn = stored.connection, key.arn(stored.connection.id)
            kind: Kind = request.get("AuthorizationType", known.kind)
            connection = msgspec.structs.replace(
                known, modified_at=self._clock.now(), description=request.get("Description", known.description)
            )
            sealed = stored.sealed
            if "AuthParameters" in request or kind != known.kind:
                secret = secret_of(self._vault.open(stored.sealed, arn))
                said = connections.changed(kind, request.get("AuthParameters", {}), known, secret)
                sealed = self._vault.seal(packed(said.secret), arn)
                state = _state(kind)
                connection = msgspec.structs.replace(
                    _made(connection, said),
                    kind=kind,
                    state=state,
                    reason=None,
                    revision=known.revision + 1,
                    authorized_at=self._clock.now() if state == "AUTHORIZED" else known.authorized_at,
                )
            records.put_connection(tx, key, connection, sealed)
            tx.after_commit(self._authorizer.wake)
            return connection

        return _changed(key, await self._store.write(body))

    @operation("DescribeConnection")
    async def describe(
        self, context: RequestContext, request: "events.DescribeConnectionRequestTypeDef"
    ) -> dict[str, Any]:
        key = ConnectionKey(context.account, context.region, request["Name"])
        connection = (await self._store.read(lambda reader: records.connection_of(reader, key))).connection
        described = {} if connection.description is None else {"Description": connection.description}
        return {
            **_listed(key, connection),
            **described,
            "SecretArn": key.secret_arn(connection.id),
            "AuthParameters": connections.shown(connection),
        }

    @operation("ListConnections")
    async def list_connections(
        self, context: RequestContext, request: "events.ListConnectionsRequestTypeDef"
    ) -> dict[str, Any]:
        after, most, state = paging.after(request), paging.limit(request), request.get("ConnectionState")

        def body(reader: Reader) -> list[tuple[str, Connection]]:
            prefix = request.get("NamePrefix", "")
            return paging.filtered(
                lambda start, some: records.list_connections(
                    reader, context.account, context.region, start, prefix, some
                ),
                lambda one: state is None or one[1].state == state,
                lambda one: one[0],
                after,
                most,
            )

        page, more = paging.cut(await self._store.read(body), most, lambda one: one[0])
        shown = [_listed(ConnectionKey(context.account, context.region, name), one) for name, one in page]
        return {"Connections": shown, **more}

    @operation("DeauthorizeConnection")
    async def deauthorize(
        self, context: RequestContext, request: "events.DeauthorizeConnectionRequestTypeDef"
    ) -> dict[str, Any]:
        key = ConnectionKey(context.account, context.region, request["Name"])

        def body(tx: Tx) -> Connection:
            stored = records.connection_of(tx, key)
            connection = msgspec.structs.replace(
                stored.connection,
                state="DEAUTHORIZED",
                reason=None,
                revision=stored.connection.revision + 1,
                modified_at=self._clock.now(),
            )
            records.put_connection(tx, key, connection, stored.sealed)
            return connection

        return _changed(key, await self._store.write(body))

    @operation("DeleteConnection")
    async def delete(self, context: RequestContext, request: "events.DeleteConnectionRequestTypeDef") -> dict[str, Any]:
        key = ConnectionKey(context.account, context.region, request["Name"])

        def body(tx: Tx) -> Connection:
            stored = records.connection_of(tx, key)
            tx.run(records.DELETE_CONNECTION, key._asdict())
            return stored.connection

        return _changed(key, await self._store.write(body)) | {"ConnectionState": "DELETING"}


def _state(kind: Kind) -> State:
    return "AUTHORIZING" if kind == "OAUTH_CLIENT_CREDENTIALS" else "AUTHORIZED"


def _made(connection: Connection, said: Given) -> Connection:
    return msgspec.structs.replace(
        connection,
        user=said.user,
        endpoint=said.endpoint,
        method=said.method,
        oauth=said.oauth,
        invocation=said.invocation,
        invocation_said=said.invocation_said,
    )


def _refuse_infrastructure(request: Mapping[str, Any]) -> None:
    if request.get("KmsKeyIdentifier"):
        raise errors.invalid(
            "Parameter KmsKeyIdentifier is not valid. Reason: Mayfly has no KMS; a key of the data directory is used."
        )
    if "InvocationConnectivityParameters" in request:
        raise errors.invalid("Private connectivity is made of AWS's VPC Lattice: Mayfly has none.")


def _changed(key: ConnectionKey, connection: Connection) -> dict[str, Any]:
    authorized = {} if connection.authorized_at is None else {"LastAuthorizedTime": utc(connection.authorized_at)}
    return {
        "ConnectionArn": key.arn(connection.id),
        "ConnectionState": connection.state,
        "CreationTime": utc(connection.created_at),
        "LastModifiedTime": utc(connection.modified_at),
        **authorized,
    }


def _listed(key: ConnectionKey, connection: Connection) -> dict[str, Any]:
    reason = {} if connection.reason is None else {"StateReason": connection.reason}
    return {**_changed(key, connection), "Name": key.name, "AuthorizationType": connection.kind, **reason}
