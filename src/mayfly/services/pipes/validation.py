"""Requests as pipes: every rule that needs no stored state but that of the source."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.ids import Arn
from mayfly.services.contract import ServiceError
from mayfly.services.pipes import enriching, faults, filters, targets
from mayfly.services.pipes.calls import Calls
from mayfly.services.pipes.model import Pipe
from mayfly.services.pipes.names import DESTINATIONS, Home, service_of
from mayfly.services.pipes.sources import Sources

MAX_BATCH = 10_000
_FIFO_BATCH = 10
MAX_WINDOW_S = 300
# The parameters that each kind of target may have.
_TARGET_PARAMETERS = {
    "sqs": "SqsQueueParameters",
    "lambda": "LambdaFunctionParameters",
    "states": "StepFunctionStateMachineParameters",
    "events": "EventBridgeEventBusParameters",
    "logs": "CloudWatchLogsParameters",
    "sns": None,
    DESTINATIONS: "HttpParameters",
}


def plain(given: Any) -> dict[str, Any]:
    """Parameters as they are kept: plain values."""
    kept: dict[str, Any] = json.loads(json.dumps(given, default=str))
    return kept


async def check(pipe: Pipe, home: Home, sources: Sources, calls: Calls) -> None:
    """ValidationException unless the pipe can run: source, enrichment and target are of kinds that Mayfly has, and
    its source exists."""
    _check_source(pipe, home, sources)
    await _check_enrichment(pipe, calls)
    await _check_target(pipe, home, calls)
    _check_log(pipe)
    try:
        await sources.of(pipe.source, pipe.source_parameters).check()
    except ServiceError as error:
        raise faults.invalid(f"The source {pipe.source} cannot be read: {error.message}") from None


def _check_source(pipe: Pipe, home: Home, sources: Sources) -> None:
    _check_place(pipe.source, home)
    wanted = sources.parameters_of(pipe.source)
    if wanted is None:
        raise faults.invalid(f"Mayfly has no sources like {pipe.source} for pipes: they read queues.")
    for name in pipe.source_parameters:
        if name not in ("FilterCriteria", wanted):
            raise faults.invalid(f"{name} cannot be specified for the source {pipe.source}.")
    given: Mapping[str, Any] = pipe.source_parameters.get(wanted, {})
    most = 1 if service_of(pipe.enrichment) == DESTINATIONS else targets.MOST.get(service_of(pipe.target))
    batch, window = given.get("BatchSize", 1 if most == 1 else 10), given.get("MaximumBatchingWindowInSeconds", 0)
    if batch > (_FIFO_BATCH if pipe.source.endswith(".fifo") else MAX_BATCH):
        raise faults.invalid(f"A BatchSize of {batch} is larger than this source allows.")
    if batch > 10 and not window:
        raise faults.invalid("MaximumBatchingWindowInSeconds must be at least 1 where BatchSize is greater than 10.")
    if window and pipe.source.endswith(".fifo"):
        raise faults.invalid("Batching windows are not supported for FIFO queues.")
    if most is not None and batch > most:
        raise faults.invalid(f"A BatchSize of {batch} is larger than the {most} that enrichment and target take.")
    filters.filter_of(pipe.source_parameters)


async def _check_enrichment(pipe: Pipe, calls: Calls) -> None:
    if not pipe.enrichment:
        return
    kind = service_of(pipe.enrichment)
    if kind not in enriching.KINDS:
        raise faults.invalid(f"Mayfly does not implement {pipe.enrichment} as an enrichment of pipes.")
    if kind == "states" and not await calls.knows("sfn", "startSyncExecution"):
        raise faults.invalid("Mayfly does not implement StartSyncExecution of state machines.")
    if kind != DESTINATIONS and "HttpParameters" in pipe.enrichment_parameters:
        raise faults.invalid("HttpParameters can only be specified for API destinations and gateways.")


async def _check_target(pipe: Pipe, home: Home, calls: Calls) -> None:
    _check_place(pipe.target, home)
    kind = service_of(pipe.target)
    if kind not in _TARGET_PARAMETERS or (kind == "events" and ":event-bus/" not in pipe.target):
        raise faults.invalid(f"Mayfly does not implement {pipe.target} as a target of pipes.")
    if kind == "states" and not await calls.knows("sfn", "startExecution"):
        raise faults.invalid("Mayfly does not implement state machines.")
    for name in pipe.target_parameters:
        if name not in ("InputTemplate", _TARGET_PARAMETERS[kind]):
            raise faults.invalid(f"{name} cannot be specified for the target {pipe.target}.")
    queue = pipe.target_parameters.get("SqsQueueParameters", {})
    if kind == "sqs" and pipe.target.endswith(".fifo") and not queue.get("MessageGroupId"):
        raise faults.invalid("SqsQueueParameters.MessageGroupId must be specified for a FIFO queue.")
    if "EndpointId" in pipe.target_parameters.get("EventBridgeEventBusParameters", {}):
        raise faults.invalid("Mayfly does not implement global endpoints of event buses.")


def _check_log(pipe: Pipe) -> None:
    for name in ("S3LogDestination", "FirehoseLogDestination"):
        if name in pipe.log:
            raise faults.invalid(f"Mayfly does not implement {name}: the logs of pipes go to log groups.")
    if pipe.log.get("Level", "OFF") != "OFF" and "CloudwatchLogsLogDestination" not in pipe.log:
        raise faults.invalid("A log level other than OFF needs a log destination.")


def _check_place(arn: str, home: Home) -> None:
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise faults.invalid(f"{arn} is no ARN.") from None
    # Regions are names here: a client of another one has queues there, and its pipes are here.
    if parsed.account not in ("", home.account):
        raise faults.invalid(f"{arn} is of another account than the pipe.")
