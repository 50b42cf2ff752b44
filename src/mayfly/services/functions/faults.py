"""The errors of functions in AWS's words. Every function here makes one; operations raise it."""

from math import ceil

from mayfly.services.contract import ServiceError

_USER = {"Type": "User"}


def function_not_found(arn: str) -> ServiceError:
    """No such function, version or alias; `arn` is qualified when the caller asked for a qualifier."""
    return resource_not_found(f"Function not found: {arn}")


def resource_not_found(message: str = "The resource you requested does not exist.") -> ServiceError:
    return ServiceError("ResourceNotFoundException", message, status=404, members=_USER)


def invalid_parameter(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueException", message, status=400, members=_USER)


def validation(message: str) -> ServiceError:
    """A constraint of the model that depends on configured limits, which the wire does not know."""
    return ServiceError("ValidationException", f"1 validation error detected: {message}", status=400)


def not_built(what: str) -> ServiceError:
    """A parameter that would change behaviour and that Mayfly does not implement."""
    return invalid_parameter(f"Mayfly does not implement {what}. docs/reference lists what it does implement.")


def conflict(message: str) -> ServiceError:
    return ServiceError("ResourceConflictException", message, status=409, members=_USER)


def snap_start_not_ready() -> ServiceError:
    return ServiceError(
        "SnapStartNotReadyException",
        "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.",
        status=409,
        members=_USER,
    )


def snap_start_failed() -> ServiceError:
    return ServiceError(
        "SnapStartException",
        "The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs.",
        status=400,
        members=_USER,
    )


def snap_start_timeout() -> ServiceError:
    return ServiceError(
        "SnapStartTimeoutException",
        "Lambda couldn't restore the snapshot within the timeout limit.",
        status=408,
        members=_USER,
    )


def policy_too_long(size: int, most: int) -> ServiceError:
    return ServiceError(
        "PolicyLengthExceededException",
        f"The final policy size ({size}) is bigger than the limit ({most}).",
        status=400,
        members=_USER,
    )


def denied_by_policy(caller: str, action: str, arn: str) -> ServiceError:
    return access_denied(
        f"User: {caller} is not authorized to perform: {action} on resource: {arn} with an explicit deny in a "
        "resource-based policy"
    )


def wrong_state(state: str) -> ServiceError:
    return conflict(
        f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
    )


def update_in_progress(arn: str) -> ServiceError:
    return conflict(f"The operation cannot be performed at this time. An update is in progress for resource: {arn}")


def unpublished_provisioning() -> ServiceError:
    return invalid_parameter("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")


def version_provisioned() -> ServiceError:
    """For an alias."""
    return conflict("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")


def snap_start_provisioning() -> ServiceError:
    return invalid_parameter("Provisioned Concurrency is not supported for versions with SnapStart.")


def scaled_version(label: str) -> ServiceError:
    """For provisioned concurrency, of the version or of an alias."""
    return conflict(
        f"Version {label} has a scaling configuration, and instances are kept ready by that or by Provisioned "
        "Concurrency, not by both. Put an empty FunctionScalingConfig to have none."
    )


def provisioned_version(label: str) -> ServiceError:
    """For a scaling configuration."""
    return conflict(
        f"Version {label} has a Provisioned Concurrency Config, of its own or of an alias, and instances are kept "
        "ready by that or by a scaling configuration, not by both. Delete the former first."
    )


def snap_start_scaling() -> ServiceError:
    return invalid_parameter("MinExecutionEnvironments is not supported for versions with SnapStart.")


def stale_revision(call: str) -> ServiceError:
    return ServiceError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {call} API to retrieve the latest Revision Id",
        status=412,
        members=_USER,
    )


def access_denied(message: str) -> ServiceError:
    return ServiceError("AccessDeniedException", message, status=403, members=_USER)


def throttled(reason: str, retry_after_s: float | None = None, detail: str = "") -> ServiceError:
    """`reason` is one of AWS's ThrottleReason values; `detail` says more where AWS has no word for it."""
    members = {"Type": "User", "Reason": reason}
    if retry_after_s is not None:
        members["retryAfterSeconds"] = str(max(1, ceil(retry_after_s)))
    message = f"Rate Exceeded. {detail}".rstrip()
    return ServiceError("TooManyRequestsException", message, status=429, members=members)


def request_too_large(limit_bytes: int, what: str = "InvokeFunction") -> ServiceError:
    """The payload of an invocation."""
    return ServiceError(
        "RequestTooLargeException",
        f"Request must be smaller than {limit_bytes} bytes for the {what} operation",
        status=413,
        members=_USER,
    )


def event_too_large(size_bytes: int, limit_bytes: int) -> ServiceError:
    """The payload of an asynchronous invocation, for which AWS has an error of its own."""
    return ServiceError(
        "RequestEntityTooLargeException",
        f"{size_bytes} byte payload is too large for the Event invocation type (limit {limit_bytes} bytes)",
        status=413,
        members=_USER,
    )


def invalid_content(message: str) -> ServiceError:
    return ServiceError("InvalidRequestContentException", message, status=400, members=_USER)


def zip_too_large(limit_bytes: int) -> ServiceError:
    """A package that was sent inline."""
    return ServiceError(
        "RequestEntityTooLargeException", f"Zipped size must be smaller than {limit_bytes} bytes", status=413
    )


def unzipped_too_large(limit_bytes: int) -> ServiceError:
    return invalid_parameter(f"Unzipped size must be smaller than {limit_bytes} bytes")


def code_storage_exceeded() -> ServiceError:
    return ServiceError("CodeStorageExceededException", "Code storage limit exceeded.", status=400, members=_USER)


def not_a_zip() -> ServiceError:
    return invalid_parameter("Could not unzip uploaded file. Please check your file, then try to upload again.")


def service_failure(message: str) -> ServiceError:
    """The platform's fault."""
    return ServiceError("ServiceException", message, status=500, members={"Type": "Service"})


def bad_marker() -> ServiceError:
    return invalid_parameter("Invalid marker.")
