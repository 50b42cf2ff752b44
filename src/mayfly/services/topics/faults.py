"""The errors of topics in their wire form, with SNS's own words."""

from mayfly.services.contract import ServiceError


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", f"Invalid parameter: {message}")


def invalid_value(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueException", message)


def no_topic() -> ServiceError:
    return ServiceError("NotFoundException", "Topic does not exist")


def no_subscription() -> ServiceError:
    return ServiceError("NotFoundException", "Subscription does not exist")


def no_resource() -> ServiceError:
    return ServiceError("ResourceNotFoundException", "Resource does not exist")


def denied(message: str) -> ServiceError:
    return ServiceError("AuthorizationErrorException", message)


def unserved(what: str) -> ServiceError:
    """What the model has and a platform on one's own machines cannot do, or Mayfly does not."""
    return ServiceError("InvalidParameterException", f"Invalid parameter: {what}")


def bad_token() -> ServiceError:
    return invalid("NextToken")
