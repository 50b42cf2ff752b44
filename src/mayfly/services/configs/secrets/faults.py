"""The errors of secrets in AWS's words."""

from mayfly.services.contract import ServiceError


def invalid_parameter(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def invalid_request(message: str) -> ServiceError:
    return ServiceError("InvalidRequestException", message)


def not_found(message: str = "Secrets Manager can't find the specified secret.") -> ServiceError:
    return ServiceError("ResourceNotFoundException", message)


def no_value(what: str) -> ServiceError:
    """`what`: "staging label: AWSCURRENT", or "VersionId: …"."""
    return not_found(f"Secrets Manager can't find the specified secret value for {what}")


def deleted() -> ServiceError:
    return invalid_request("You can't perform this operation on the secret because it was marked for deletion.")


def bad_name() -> ServiceError:
    return ServiceError(
        "ValidationException",
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
    )


def exists(name: str) -> ServiceError:
    return ServiceError("ResourceExistsException", f"The operation failed because the secret {name} already exists.")


def token_used(token: str, arn: str) -> ServiceError:
    return ServiceError(
        "ResourceExistsException",
        f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}.",
    )


def not_invocable() -> ServiceError:
    return ServiceError(
        "AccessDeniedException",
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to "
        "the principal secretsmanager.amazonaws.com.",
    )


def bad_token() -> ServiceError:
    return ServiceError("InvalidNextTokenException", "The NextToken is not one of this list.")
