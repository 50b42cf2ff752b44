"""The errors of schedules in their wire form, with EventBridge Scheduler's own words where they are known."""

from mayfly.services.contract import ServiceError


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def schedule_exists(name: str) -> ServiceError:
    return ServiceError("ConflictException", f"Schedule {name} already exists.")


def schedule_missing(name: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"Schedule {name} does not exist.")


def group_exists(name: str) -> ServiceError:
    return ServiceError("ConflictException", f"Schedule group {name} already exists.")


def group_missing(name: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"Schedule group {name} does not exist.")


def group_deleting(name: str) -> ServiceError:
    return ServiceError("ConflictException", f"Schedule group {name} is being deleted.")


def token_used(token: str) -> ServiceError:
    return ServiceError("ConflictException", f"The client token {token} was used with other parameters.")


def bad_page() -> ServiceError:
    return invalid("Invalid NextToken.")


def bad_expression(text: str) -> ServiceError:
    return invalid(f"Invalid Schedule Expression {text}.")


def bad_zone(text: str) -> ServiceError:
    return invalid(f"Invalid Schedule Expression Timezone {text}.")


def role_unusable() -> ServiceError:
    return invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")


def bad_arn() -> ServiceError:
    return invalid("Provided Arn is not in correct format.")
