"""The errors of metrics and alarms in their wire form, with CloudWatch's own words."""

from mayfly.services.contract import ServiceError


def invalid(message: str) -> ServiceError:
    """A parameter with a value that it may not have."""
    return ServiceError("InvalidParameterValueException", message)


def combination(message: str) -> ServiceError:
    """Parameters that exclude each other."""
    return ServiceError("InvalidParameterCombinationException", message)


def missing(message: str) -> ServiceError:
    """A parameter that is needed with those that are there."""
    return ServiceError("MissingRequiredParameterException", message)


def validation(message: str) -> ServiceError:
    """What the operations on alarms say where others say InvalidParameterValue."""
    return ServiceError("ValidationError", message)


def bad_token() -> ServiceError:
    """A paging token that was not made here."""
    return ServiceError("InvalidNextToken", "The specified next token is invalid.")


def no_alarm(name: str) -> ServiceError:
    """No alarm has the name."""
    return ServiceError("ResourceNotFound", f"The alarm {name} does not exist.")


def no_resource(arn: str) -> ServiceError:
    """Nothing has the ARN: what the operations on tags say."""
    return ServiceError("ResourceNotFoundException", f"{arn} does not exist.")
