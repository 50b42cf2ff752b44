"""The errors of API Gateway's REST APIs in AWS's words."""

from mayfly.services.contract import ServiceError


def bad_request(message: str) -> ServiceError:
    return ServiceError("BadRequestException", message, status=400)


def not_found(message: str) -> ServiceError:
    return ServiceError("NotFoundException", message, status=404)


def conflict(message: str) -> ServiceError:
    return ServiceError("ConflictException", message, status=409)


def too_many(message: str) -> ServiceError:
    return ServiceError("LimitExceededException", message, status=429)


def no_such_api(account: str, api_id: str) -> ServiceError:
    return not_found(f"Invalid API identifier specified {account}:{api_id}")


def no_such_resource() -> ServiceError:
    return not_found("Invalid Resource identifier specified")


def no_such_method() -> ServiceError:
    return not_found("Invalid Method identifier specified")


def no_such_integration() -> ServiceError:
    return not_found("Invalid Integration identifier specified")


def no_such_response() -> ServiceError:
    return not_found("Invalid Response status code specified")


def no_such_stage() -> ServiceError:
    return not_found("Invalid stage identifier specified")


def no_such_deployment() -> ServiceError:
    return not_found("Invalid Deployment identifier specified")


def refused(message: str) -> ServiceError:
    """What only means something inside AWS, or cannot be had here, with the reason."""
    return bad_request(message)


def bad_position() -> ServiceError:
    return bad_request("Invalid position parameter specified")
