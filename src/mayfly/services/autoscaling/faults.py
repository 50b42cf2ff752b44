"""The errors of scaling in AWS's words."""

from mayfly.services.contract import ServiceError


def validation(message: str) -> ServiceError:
    return ServiceError("ValidationException", message, status=400)


def unknown(what: str, place: str) -> ServiceError:
    """There is no such thing, of what may well exist elsewhere."""
    return ServiceError("ObjectNotFoundException", f"No {what} found for {place}", status=400)


def no_such_target(arn: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"There is no scalable target {arn}.", status=400)


def bad_token() -> ServiceError:
    return ServiceError("InvalidNextTokenException", "The next token is not one of this list.", status=400)


def elsewhere(namespace: str, dimension: str) -> ServiceError:
    """What is scaled here is one thing."""
    return validation(
        f"Mayfly cannot scale {dimension or namespace}: the service namespace that it scales is lambda, with the "
        "scalable dimension lambda:function:ProvisionedConcurrency."
    )
