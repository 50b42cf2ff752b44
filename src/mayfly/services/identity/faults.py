"""IAM's and STS's failures in their wire form, worded in one place."""

from mayfly.services.contract import ServiceError


def no_such(what: str, name: str) -> ServiceError:
    """`what` is "role", "user", "role policy"."""
    return ServiceError("NoSuchEntity", f"The {what} with name {name} cannot be found.", status=404)


def no_such_policy(arn: str) -> ServiceError:
    return ServiceError("NoSuchEntity", f"Policy {arn} was not found.", status=404)


def no_such_profile(name: str) -> ServiceError:
    return ServiceError("NoSuchEntity", f"Instance Profile {name} cannot be found.", status=404)


def no_such_version(arn: str, version: str) -> ServiceError:
    message = f"Policy {arn} version {version} does not exist or is not attachable."
    return ServiceError("NoSuchEntity", message, status=404)


def already_exists(what: str, name: str) -> ServiceError:
    """`what` is "Role", "User", "Group"."""
    return ServiceError("EntityAlreadyExists", f"{what} with name {name} already exists.", status=409)


def delete_conflict(first: str) -> ServiceError:
    """`first` is what has to be done before, e.g. "delete policies"."""
    return ServiceError("DeleteConflict", f"Cannot delete entity, must {first} first.", status=409)


def quota_exceeded(quota: str, limit: int) -> ServiceError:
    return ServiceError("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}", status=409)


def invalid_input(message: str) -> ServiceError:
    return ServiceError("InvalidInput", message, status=400)


def malformed(message: str) -> ServiceError:
    return ServiceError("MalformedPolicyDocument", message, status=400)


def validation(message: str) -> ServiceError:
    return ServiceError("ValidationError", message, status=400)


def unsupported(parameter: str, reason: str) -> ServiceError:
    """A parameter that the model has and Mayfly does not honour; ignoring it would widen what the caller asked for."""
    return ServiceError("NotImplemented", f"Mayfly does not support {parameter}: {reason}", status=501)


def access_denied(principal_arn: str, action: str, resource: str | None = None) -> ServiceError:
    where = f" on resource: {resource}" if resource else ""
    return ServiceError(
        "AccessDenied", f"User: {principal_arn} is not authorized to perform: {action}{where}", status=403
    )


def invalid_token() -> ServiceError:
    return ServiceError("InvalidClientTokenId", "The security token included in the request is invalid.", status=403)


def expired_token() -> ServiceError:
    return ServiceError("ExpiredToken", "The security token included in the request is expired", status=403)
