"""The errors of pipes in their wire form."""

from mayfly.services.contract import ServiceError
from mayfly.services.pipes.model import Pipe


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def exists(name: str) -> ServiceError:
    return _conflict(name, f"Pipe {name} already exists.")


def missing(name: str) -> ServiceError:
    return ServiceError("NotFoundException", f"Pipe {name} does not exist.")


def busy(pipe: Pipe) -> ServiceError:
    return _conflict(pipe.name, f"Pipe {pipe.name} is in the state {pipe.state}: try again when that is over.")


def wrong_state(pipe: Pipe, verb: str) -> ServiceError:
    return _conflict(pipe.name, f"Pipe {pipe.name} cannot be {verb} in the state {pipe.state}.")


def role_unusable() -> ServiceError:
    return invalid("The role you provide must allow pipes.amazonaws.com to assume it.")


def _conflict(name: str, message: str) -> ServiceError:
    return ServiceError("ConflictException", message, members={"resourceId": name, "resourceType": "Pipe"})


def bad_token() -> ServiceError:
    return invalid("Invalid NextToken.")
