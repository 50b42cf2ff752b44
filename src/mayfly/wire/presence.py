"""Inputs of S3 and SQS: what the model requires must be there, and is named when it is not.

Whatever else is wrong with a value has errors of the service's own, which its handlers give. Compiled once for each
operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from mayfly.services.contract import ServiceError
from mayfly.wire.shapes import Compiler

# The first required member that a value lacks, all the way down; None: it is whole.
Missing = Callable[[Any], str | None]


def sqs_validator(shape: StructureShape) -> Callable[[Mapping[str, Any]], None]:
    """The function that raises `ServiceError` for the first parameter that is missing."""
    find = Compiler(_missing).step(shape)

    def validate(params: Mapping[str, Any]) -> None:
        if (name := find(params)) is not None:
            raise ServiceError("MissingParameter", f"The request must contain the parameter {name}.", status=400)

    return validate


def s3_validator(shape: StructureShape) -> Callable[[Mapping[str, Any]], None]:
    """The function that raises `ServiceError` for a header, a query parameter or a body that is missing. A body is
    malformed where its XML lacks something."""
    payload = str(shape.serialization.get("payload", ""))
    required = [
        (name, shape.members[name].serialization)
        for name in shape.required_members
        if shape.members[name].serialization.get("location") != "uri"
    ]
    find = Compiler(_missing).step(shape.members[payload]) if payload else _whole

    def validate(params: Mapping[str, Any]) -> None:
        for name, traits in required:
            if name not in params:
                raise _no_body() if name == payload else _no_parameter(name, traits)
        if payload in params and find(params[payload]) is not None:
            raise ServiceError(
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published schema",
                status=400,
            )

    return validate


def _no_body() -> ServiceError:
    return ServiceError("MissingRequestBodyError", "Request Body is empty", status=400)


def _no_parameter(name: str, traits: Mapping[str, Any]) -> ServiceError:
    kind = "header" if traits.get("location") == "header" else "parameter"
    return ServiceError(
        "InvalidRequest", f"Missing required {kind} for this request: {traits.get('name', name)}", status=400
    )


def _missing(shape: Shape, compiler: Compiler[Missing]) -> Missing:
    if isinstance(shape, StructureShape):
        required = tuple(shape.required_members)
        below = [
            (name, compiler.step(member))
            for name, member in shape.members.items()
            if isinstance(member, StructureShape | ListShape | MapShape)
        ]

        def structure(value: Any) -> str | None:
            for name in required:
                if name not in value:
                    return name
            for name, step in below:
                if name in value and (missing := step(value[name])) is not None:
                    return missing
            return None

        return structure
    inner = shape.member if isinstance(shape, ListShape) else shape.value if isinstance(shape, MapShape) else None
    if not isinstance(inner, StructureShape):
        return _whole
    step = compiler.step(inner)

    def items(value: Any) -> str | None:
        for item in value.values() if isinstance(value, dict) else value:
            if (missing := step(item)) is not None:
                return missing
        return None

    return items


def _whole(_value: Any) -> None:
    return None
