"""Every way in which a call on a queue can fail, with SQS's codes and wording.

Queues exist only behind SQS's wire, and most messages quote the caller's parameters, so this package speaks in
`ServiceError`s throughout. Codes are the names of the model's shapes where it has one; the wire knows what they were
called in the days of the query protocol.
"""

from mayfly.services.contract import ServiceError


class InvalidValueError(ServiceError):
    """A parameter breaks a rule."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterValue", message)


class MissingError(ServiceError):
    """A parameter that the request needs is not there."""

    def __init__(self, name: str) -> None:
        super().__init__("MissingParameter", f"The request must contain the parameter {name}.")


class NoQueueError(ServiceError):
    """There is no such queue."""

    def __init__(self) -> None:
        super().__init__("QueueDoesNotExist", "The specified queue does not exist.")


class NotFoundError(ServiceError):
    """What an operation on message move tasks names is not there."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFoundException", message, status=404)


class BadHandleError(ServiceError):
    """The text is no receipt handle of this queue."""

    def __init__(self, handle: str) -> None:
        super().__init__(
            "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.'
        )


def invalid(value: object, name: str, reason: str) -> InvalidValueError:
    """The refusal of a value, in the sentence that SQS has for it."""
    return InvalidValueError(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


def invalid_attribute(name: str, reason: str = "") -> ServiceError:
    """The refusal of a queue attribute's value."""
    message = f"Invalid value for the parameter {name}."
    return ServiceError("InvalidAttributeValue", f"{message} Reason: {reason}" if reason else message)


def unknown_attribute(name: str, message: str = "") -> ServiceError:
    """The refusal of a queue attribute that there is not, or not for this queue."""
    return ServiceError("InvalidAttributeName", message or f"Unknown Attribute {name}.")


def expired_handle(handle: str) -> InvalidValueError:
    """FIFO queues tell that a handle's time is over."""
    return invalid(handle, "ReceiptHandle", "The receipt handle has expired.")


def unavailable(handle: str) -> InvalidValueError:
    """The message of a handle is gone, or somebody else's by now."""
    return invalid(handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
