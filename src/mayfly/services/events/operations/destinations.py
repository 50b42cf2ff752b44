"""API destinations: create, update, describe, list, delete."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, operation
from mayfly.services.events import connection_records as records
from mayfly.services.events import connections, errors, paging
from mayfly.services.events.connections import check_endpoint
from mayfly.services.events.destinations import DEFAULT_RATE, Destination, DestinationKey
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events

MOST = 3000


class DestinationOperations:
    """A destination is active as long as its connection is authorized."""

    def __init__(self, store: Store, clock: Clock, new_id: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id

    @operation("CreateApiDestination")
    async def create(
        self, context: RequestContext, request: "events.CreateApiDestinationRequestTypeDef"
    ) -> dict[str, Any]:
        key = DestinationKey(context.account, context.region, request["Name"])
        check_endpoint(request["InvocationEndpoint"], "InvocationEndpoint")
        now = self._clock.now()
        destination = Destination(
            self._new_id(),
            request["ConnectionArn"],
            request["InvocationEndpoint"],
            request["HttpMethod"],
            now,
            now,
            request.get("InvocationRateLimitPerSecond", DEFAULT_RATE),
            request.get("Description"),
        )

        def body(tx: Tx) -> str:
            if records.find_destination(tx, *key) is not None:
                raise errors.exists("ApiDestination", key.name)
            if records.count(tx, records.COUNT_DESTINATIONS, key.account, key.region) >= MOST:
                raise errors.limit()
            _check_connection(tx, destination.connection_arn)
            records.put_destination(tx, *key, destination)
            return _state(tx, destination)

        return _changed(key, destination, await self._store.write(body))

    @operation("UpdateApiDestination")
    async def update(
        self, context: RequestContext, request: "events.UpdateApiDestinationRequestTypeDef"
    ) -> dict[str, Any]:
        key = DestinationKey(context.account, context.region, request["Name"])
        if "InvocationEndpoint" in request:
            check_endpoint(request["InvocationEndpoint"], "InvocationEndpoint")

        def body(tx: Tx) -> tuple[Destination, str]:
            known = records.destination_of(tx, *key)
            if "ConnectionArn" in request:
                _check_connection(tx, request["ConnectionArn"])
            destination = msgspec.structs.replace(
                known,
                connection_arn=request.get("ConnectionArn", known.connection_arn),
                endpoint=request.get("InvocationEndpoint", known.endpoint),
                method=request.get("HttpMethod", known.method),
                rate=request.get("InvocationRateLimitPerSecond", known.rate),
                description=request.get("Description", known.description),
                modified_at=self._clock.now(),
            )
            records.put_destination(tx, *key, destination)
            return destination, _state(tx, destination)

        return _changed(key, *await self._store.write(body))

    @operation("DescribeApiDestination")
    async def describe(
        self, context: RequestContext, request: "events.DescribeApiDestinationRequestTypeDef"
    ) -> dict[str, Any]:
        key = DestinationKey(context.account, context.region, request["Name"])

        def body(reader: Reader) -> dict[str, Any]:
            found = records.destination_of(reader, *key)
            described = {} if found.description is None else {"Description": found.description}
            return {**_listed(key, found, _state(reader, found)), **described}

        return await self._store.read(body)

    @operation("ListApiDestinations")
    async def list_destinations(
        self, context: RequestContext, request: "events.ListApiDestinationsRequestTypeDef"
    ) -> dict[str, Any]:
        after, most, by = paging.after(request), paging.limit(request), request.get("ConnectionArn")

        def body(reader: Reader) -> dict[str, Any]:
            prefix = request.get("NamePrefix", "")
            found = paging.filtered(
                lambda start, some: records.list_destinations(
                    reader, context.account, context.region, start, prefix, some
                ),
                lambda one: by is None or one[1].connection_arn == by,
                lambda one: one[0],
                after,
                most,
            )
            page, more = paging.cut(found, most, lambda one: one[0])
            shown = [
                _listed(DestinationKey(context.account, context.region, name), one, _state(reader, one))
                for name, one in page
            ]
            return {"ApiDestinations": shown, **more}

        return await self._store.read(body)

    @operation("DeleteApiDestination")
    async def delete(
        self, context: RequestContext, request: "events.DeleteApiDestinationRequestTypeDef"
    ) -> dict[str, Any]:
        key = DestinationKey(context.account, context.region, request["Name"])

        def body(tx: Tx) -> None:
            records.destination_of(tx, *key)
            tx.run(records.DELETE_DESTINATION, key._asdict())

        await self._store.write(body)
        return {}


def _check_connection(reader: Reader, arn: str) -> None:
    named = connections.key_of_arn(arn)
    if named is None or records.connection_by_arn(reader, *named) is None:
        name = arn if named is None else named[0].name
        raise errors.not_found(f"Failed to describe the connection(s). Connection '{name}' does not exist.")


def _state(reader: Reader, destination: Destination) -> str:
    named = connections.key_of_arn(destination.connection_arn)
    stored = None if named is None else records.connection_by_arn(reader, *named)
    return "ACTIVE" if stored is not None and stored.connection.state == "AUTHORIZED" else "INACTIVE"


def _changed(key: DestinationKey, destination: Destination, state: str) -> dict[str, Any]:
    return {
        "ApiDestinationArn": key.arn(destination.id),
        "ApiDestinationState": state,
        "CreationTime": utc(destination.created_at),
        "LastModifiedTime": utc(destination.modified_at),
    }


def _listed(key: DestinationKey, destination: Destination, state: str) -> dict[str, Any]:
    return {
        **_changed(key, destination, state),
        "Name": key.name,
        "ConnectionArn": destination.connection_arn,
        "InvocationEndpoint": destination.endpoint,
        "HttpMethod": destination.method,
        "InvocationRateLimitPerSecond": destination.rate,
    }
