"""Targets as PutTargets takes them: every block of parameters checked against what the target is. Pure.

Whether there is such a target is another question (`operations.targets` asks it), as on AWS, where a rule may have
targets that do not exist yet.
"""

from collections.abc import Mapping
from typing import Any, Final

from mayfly.ids import Arn
from mayfly.services.contract import ServiceError
from mayfly.services.events import transformation
from mayfly.services.events.errors import invalid
from mayfly.services.events.model import HttpParameters, Target, Transformer
from mayfly.services.events.names import is_api_destination

# Blocks of parameters, and the service of the ARNs that they are for.
_BLOCKS: Final[Mapping[str, frozenset[str]]] = {
    "KinesisParameters": frozenset({"kinesis"}),
    "RunCommandParameters": frozenset({"ssm"}),
    "EcsParameters": frozenset({"ecs"}),
    "BatchParameters": frozenset({"batch"}),
    "SqsParameters": frozenset({"sqs"}),
    "HttpParameters": frozenset({"events", "execute-api"}),
    "RedshiftDataParameters": frozenset({"redshift", "redshift-serverless"}),
    "SageMakerPipelineParameters": frozenset({"sagemaker"}),
    "AppSyncParameters": frozenset({"appsync"}),
}
_INPUTS: Final = ("Input", "InputPath", "InputTransformer")


def target_of(request: Mapping[str, Any]) -> Target:
    """The target that a request describes; ValidationException."""
    name, arn = request["Id"], _arn(request["Arn"])
    for block, services in _BLOCKS.items():
        if block in request and arn.service not in services:
            raise invalid(f"Parameter(s) {block} not valid for target: {name}, which is one of {arn.service}.")
    bus = arn.service == "events" and not is_api_destination(request["Arn"])
    if bus and ("HttpParameters" in request or any(member in request for member in _INPUTS)):
        raise invalid(
            f"Target {name} is an event bus, which gets events as they are: leave out Input, InputPath, "
            "InputTransformer and HttpParameters."
        )
    if arn.service == "sqs" and arn.resource.endswith(".fifo") and "SqsParameters" not in request:
        raise invalid(f"Parameter(s) SqsParameters must be specified for target: {name}.")
    transformer = _transformer(request)
    policy = request.get("RetryPolicy", {})
    http = request.get("HttpParameters")
    target = Target(
        id=name,
        arn=request["Arn"],
        role_arn=request.get("RoleArn"),
        input=request.get("Input"),
        input_path=request.get("InputPath"),
        transformer=transformer,
        group_id=request.get("SqsParameters", {}).get("MessageGroupId"),
        http=None if http is None else _http(http),
        dead_letter_arn=dead_letter_arn(request.get("DeadLetterConfig", {}), name),
        max_attempts=policy.get("MaximumRetryAttempts"),
        max_age_s=policy.get("MaximumEventAgeInSeconds"),
    )
    _check_input(target, request)
    return target


def shown(target: Target) -> dict[str, Any]:
    """The target as ListTargetsByRule shows it."""
    shown_: dict[str, Any] = {"Id": target.id, "Arn": target.arn}
    plain = {"RoleArn": target.role_arn, "Input": target.input, "InputPath": target.input_path}
    shown_ |= {name: value for name, value in plain.items() if value is not None}
    if target.transformer is not None:
        block: dict[str, Any] = {"InputTemplate": target.transformer.template}
        if target.transformer.paths:
            block = {"InputPathsMap": target.transformer.paths, **block}
        shown_["InputTransformer"] = block
    if target.group_id is not None:
        shown_["SqsParameters"] = {"MessageGroupId": target.group_id}
    if target.http is not None:
        shown_["HttpParameters"] = {
            "PathParameterValues": list(target.http.path_values),
            "HeaderParameters": target.http.headers,
            "QueryStringParameters": target.http.query,
        }
    if target.dead_letter_arn is not None:
        shown_["DeadLetterConfig"] = {"Arn": target.dead_letter_arn}
    retry = {"MaximumRetryAttempts": target.max_attempts, "MaximumEventAgeInSeconds": target.max_age_s}
    retry = {name: value for name, value in retry.items() if value is not None}
    if retry:
        shown_["RetryPolicy"] = retry
    return shown_


def dead_letter_arn(config: Mapping[str, Any], what: str) -> str | None:
    """The queue of a DeadLetterConfig; ValidationException for what is no standard queue."""
    text: str | None = config.get("Arn")
    if text is None:
        return None
    arn = _arn(text)
    if arn.service != "sqs" or arn.resource.endswith(".fifo"):
        raise invalid(f"Parameter DeadLetterConfig.Arn of {what} is not valid. Reason: it must be a standard queue.")
    return text


def _arn(text: str) -> Arn:
    try:
        return Arn.parse(text)
    except ValueError:
        raise invalid(f"Parameter {text} is not valid. Reason: Provided Arn is not in correct format.") from None


def _transformer(request: Mapping[str, Any]) -> Transformer | None:
    if sum(member in request for member in _INPUTS) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {request['Id']}.")
    block = request.get("InputTransformer")
    return None if block is None else Transformer(block["InputTemplate"], dict(block.get("InputPathsMap", {})))


def _check_input(target: Target, request: Mapping[str, Any]) -> None:
    if target.input is not None and not transformation.is_json(target.input.encode()):
        raise invalid(f"JSON syntax error in input for target {target.id}.")
    if target.transformer is not None and (unknown := transformation.unknown_placeholders(target.transformer)):
        raise invalid(f"InputTemplate for target {target.id} contains invalid placeholder {unknown[0]}.")
    try:
        transformation.rendering(target)
    except ValueError as error:
        member = next(name for name in _INPUTS if name in request)
        raise invalid(f"Invalid {member} for target {target.id} : {error}.") from None


def _http(block: Mapping[str, Any]) -> HttpParameters:
    return HttpParameters(
        tuple(block.get("PathParameterValues", ())),
        dict(block.get("HeaderParameters", {})),
        dict(block.get("QueryStringParameters", {})),
    )


def is_absent_service(error: ServiceError) -> bool:
    """Whether a target was refused because nothing here is of its kind, and not because it is not there yet."""
    return error.code == "ValidationException"
