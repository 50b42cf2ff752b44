"""The errors of logs in their wire form, with CloudWatch Logs' own words."""

from mayfly.services.contract import ServiceError


def group_missing() -> ServiceError:
    return ServiceError("ResourceNotFoundException", "The specified log group does not exist.")


def stream_missing() -> ServiceError:
    return ServiceError("ResourceNotFoundException", "The specified log stream does not exist.")


def group_exists() -> ServiceError:
    return ServiceError("ResourceAlreadyExistsException", "The specified log group already exists")


def stream_exists() -> ServiceError:
    return ServiceError("ResourceAlreadyExistsException", "The specified log stream already exists")


def bad_token() -> ServiceError:
    return ServiceError("InvalidParameterException", "The specified nextToken is invalid.")


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def filter_missing() -> ServiceError:
    return ServiceError("ResourceNotFoundException", "The specified filter does not exist.")


def policy_missing(name: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"Policy with name [{name}] does not exist.")


def limit_exceeded() -> ServiceError:
    return ServiceError("LimitExceededException", "Resource limit exceeded.")
