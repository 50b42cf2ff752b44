"""Operations on pipes."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.execution_roles import ExecutionRoles
from mayfly.services.pipes import catalog, faults, statements, validation
from mayfly.services.pipes.calls import Calls
from mayfly.services.pipes.driver import Driver
from mayfly.services.pipes.model import MAX_PIPES, UNDER_WAY, Desired, Pipe, State
from mayfly.services.pipes.names import Home
from mayfly.services.pipes.sources import Sources
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_pipes.type_defs import (
        CreatePipeRequestTypeDef,
        DeletePipeRequestTypeDef,
        DescribePipeRequestTypeDef,
        ListPipesRequestTypeDef,
        StartPipeRequestTypeDef,
        StopPipeRequestTypeDef,
        UpdatePipeRequestTypeDef,
    )

PAGE = 100


class PipeOperations:
    """Pipes."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        home: Home,
        sources: Sources,
        calls: Calls,
        roles: ExecutionRoles,
        driver: Driver,
    ) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._sources = sources
        self._calls = calls
        self._roles = roles
        self._driver = driver

    @operation("CreatePipe")
    async def create(self, context: RequestContext, request: "CreatePipeRequestTypeDef") -> dict[str, Any]:
        now = self._clock.now()
        pipe = Pipe(
            name=request["Name"],
            source=request["Source"],
            target=request["Target"],
            role=request["RoleArn"],
            desired=request.get("DesiredState", "RUNNING"),
            state="CREATING",
            created_at=now,
            modified_at=now,
            source_parameters=validation.plain(request.get("SourceParameters", {})),
            target_parameters=validation.plain(request.get("TargetParameters", {})),
            enrichment=request.get("Enrichment", ""),
            enrichment_parameters=validation.plain(request.get("EnrichmentParameters", {})),
            log=_log(request),
            tags=dict(request.get("Tags", {})),
            description=request.get("Description"),
            kms_key=request.get("KmsKeyIdentifier"),
        )
        await self._check(pipe)

        def body(tx: Tx) -> None:
            if catalog.find(tx, pipe.name) is not None:
                raise faults.exists(pipe.name)
            count = tx.one(statements.COUNT)
            if count is not None and count[0] >= MAX_PIPES:
                raise ServiceError(
                    "ServiceQuotaExceededException",
                    f"An account can have at most {MAX_PIPES} pipes.",
                    members={
                        "resourceId": pipe.name,
                        "resourceType": "Pipe",
                        "serviceCode": "pipes",
                        "quotaCode": "L-PIPES",
                    },
                )
            self._put(tx, pipe)

        await self._store.write(body)
        return self._changed(pipe)

    @operation("UpdatePipe")
    async def update(self, context: RequestContext, request: "UpdatePipeRequestTypeDef") -> dict[str, Any]:
        before = await self._store.read(lambda reader: catalog.existing(reader, request["Name"]))
        wanted = self._updated(before, request)
        await self._check(wanted)

        def body(tx: Tx) -> None:
            now = self._steady(tx, before.name)
            if (now.state, now.modified_at) != (before.state, before.modified_at):
                raise faults.busy(now)
            self._put(tx, msgspec.structs.replace(wanted, tags=now.tags))

        await self._store.write(body)
        return self._changed(wanted)

    @operation("StartPipe")
    async def start(self, context: RequestContext, request: "StartPipeRequestTypeDef") -> dict[str, Any]:
        return await self._turn(request["Name"], "RUNNING", "STARTING", "started")

    @operation("StopPipe")
    async def stop(self, context: RequestContext, request: "StopPipeRequestTypeDef") -> dict[str, Any]:
        return await self._turn(request["Name"], "STOPPED", "STOPPING", "stopped")

    @operation("DeletePipe")
    async def delete(self, context: RequestContext, request: "DeletePipeRequestTypeDef") -> dict[str, Any]:
        def body(tx: Tx) -> Pipe:
            pipe = self._steady(tx, request["Name"])
            gone = self._in_state(pipe, "DELETED", "DELETING")
            self._put(tx, gone)
            return gone

        return self._changed(await self._store.write(body))

    @operation("DescribePipe")
    async def describe(self, context: RequestContext, request: "DescribePipeRequestTypeDef") -> dict[str, Any]:
        pipe = await self._store.read(lambda reader: catalog.existing(reader, request["Name"]))
        described = {
            **self._summary(pipe),
            "Description": pipe.description,
            "SourceParameters": _shown_source(pipe),
            "TargetParameters": pipe.target_parameters or None,
            "EnrichmentParameters": pipe.enrichment_parameters or None,
            "RoleArn": pipe.role,
            "Tags": pipe.tags or None,
            "LogConfiguration": pipe.log or None,
            "KmsKeyIdentifier": pipe.kms_key,
        }
        return {name: value for name, value in described.items() if value is not None}

    @operation("ListPipes")
    async def list(self, context: RequestContext, request: "ListPipesRequestTypeDef") -> dict[str, Any]:
        limit = request.get("Limit", PAGE)
        after = page_tokens.after(request.get("NextToken"), faults.bad_token)
        found = await self._store.read(
            lambda reader: catalog.page(
                reader,
                after,
                limit + 1,
                prefix=request.get("NamePrefix", ""),
                desired=request.get("DesiredState"),
                state=request.get("CurrentState"),
                source=request.get("SourcePrefix", ""),
                target=request.get("TargetPrefix", ""),
            )
        )
        reply: dict[str, Any] = {"Pipes": [self._summary(pipe) for pipe in found[:limit]]}
        if len(found) > limit:
            reply["NextToken"] = page_tokens.encode(found[limit - 1].name)
        return reply

    async def _check(self, pipe: Pipe) -> None:
        await validation.check(pipe, self._home, self._sources, self._calls)
        if not await self._roles.usable(pipe.role):
            raise faults.role_unusable()

    def _updated(self, before: Pipe, request: "UpdatePipeRequestTypeDef") -> Pipe:
        """What an update asks for: members that it leaves out stay, parameters are replaced as a whole."""
        source_parameters = before.source_parameters
        if "SourceParameters" in request:
            source_parameters = validation.plain(request["SourceParameters"])
        wanted = msgspec.structs.replace(
            before,
            target=request.get("Target", before.target),
            role=request["RoleArn"],
            desired=request.get("DesiredState", before.desired),
            state="UPDATING",
            modified_at=self._clock.now(),
            source_parameters=source_parameters,
            target_parameters=validation.plain(request.get("TargetParameters", before.target_parameters)),
            enrichment=request.get("Enrichment", before.enrichment),
            enrichment_parameters=validation.plain(request.get("EnrichmentParameters", before.enrichment_parameters)),
            description=request.get("Description", before.description),
            kms_key=request.get("KmsKeyIdentifier", before.kms_key),
            reason=None,
        )
        return msgspec.structs.replace(wanted, log=_log(request)) if "LogConfiguration" in request else wanted

    async def _turn(self, name: str, desired: Desired, state: State, verb: str) -> dict[str, Any]:
        def body(tx: Tx) -> Pipe:
            pipe = self._steady(tx, name)
            if pipe.desired == desired and not pipe.state.endswith("_FAILED"):
                raise faults.wrong_state(pipe, verb)
            turned = self._in_state(pipe, desired, state)
            self._put(tx, turned)
            return turned

        return self._changed(await self._store.write(body))

    def _steady(self, tx: Tx, name: str) -> Pipe:
        pipe = catalog.existing(tx, name)
        if pipe.state in UNDER_WAY:
            raise faults.busy(pipe)
        return pipe

    def _in_state(self, pipe: Pipe, desired: Desired, state: State) -> Pipe:
        return msgspec.structs.replace(pipe, desired=desired, state=state, modified_at=self._clock.now(), reason=None)

    def _put(self, tx: Tx, pipe: Pipe) -> None:
        catalog.put(tx, pipe)
        tx.after_commit(lambda: self._driver.want(pipe.name))

    def _changed(self, pipe: Pipe) -> dict[str, Any]:
        return {
            "Arn": self._home.arn(pipe.name),
            "Name": pipe.name,
            "DesiredState": pipe.desired,
            "CurrentState": pipe.state,
            "CreationTime": utc(pipe.created_at),
            "LastModifiedTime": utc(pipe.modified_at),
        }

    def _summary(self, pipe: Pipe) -> dict[str, Any]:
        shown = {
            **self._changed(pipe),
            "Source": pipe.source,
            "Target": pipe.target,
            "Enrichment": pipe.enrichment or None,
            "StateReason": pipe.reason,
        }
        return {name: value for name, value in shown.items() if value is not None}


def _log(request: Any) -> dict[str, Any]:
    return validation.plain(request.get("LogConfiguration", {}))


def _shown_source(pipe: Pipe) -> dict[str, Any]:
    """Source parameters with the batch size that is in force."""
    if ":sqs:" not in pipe.source:
        return pipe.source_parameters
    queue = {"BatchSize": 10, **pipe.source_parameters.get("SqsQueueParameters", {})}
    return {**pipe.source_parameters, "SqsQueueParameters": queue}
