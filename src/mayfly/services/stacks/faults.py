"""CloudFormation's failures in their wire form."""

from mayfly.services.contract import ServiceError


def validation(message: str) -> ServiceError:
    """What CloudFormation answers to nearly everything that is wrong with a request or a template."""
    return ServiceError("ValidationError", message, status=400)


def no_such_stack(name: str) -> ServiceError:
    return validation(f"Stack with id {name} does not exist")


def insufficient_capabilities(required: list[str]) -> ServiceError:
    return ServiceError(
        "InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(required)}]", status=400
    )


def unsupported(parameter: str, reason: str) -> ServiceError:
    """A parameter that Mayfly does not honour, where ignoring it would do something else than was asked."""
    return ServiceError("NotImplemented", f"Mayfly does not support {parameter}: {reason}", status=501)
