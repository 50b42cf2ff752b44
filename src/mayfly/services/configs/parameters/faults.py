"""The errors of parameters in AWS's words."""

from mayfly.services.contract import ServiceError

NAME_RULES = (
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "
    '"/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the '
    "following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if "
    'specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.'
)
_TIERS_PAGE = "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
TIER_KEPT = (
    "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier "
    "to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard "
    f"parameter. For more information, see {_TIERS_PAGE}"
)
TAGS_WITH_OVERWRITE = (
    "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove "
    "overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource."
)


def validation(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def not_found(name: str) -> ServiceError:
    return ServiceError("ParameterNotFound", f"Parameter {name} not found.")


def no_version(name: str, version: int) -> ServiceError:
    return ServiceError(
        "ParameterVersionNotFound",
        f"Systems Manager could not find version {version} of {name}. Verify the version and try again.",
    )


def no_label(name: str, label: str) -> ServiceError:
    return ServiceError(
        "ParameterVersionNotFound",
        f"Systems Manager could not find label {label} of {name}. Verify the label and try again.",
    )


def exists() -> ServiceError:
    return ServiceError(
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
    )


def too_long(tier: str, limit: int) -> ServiceError:
    if tier == "Advanced":
        return validation(f"Advanced tier parameters support a maximum parameter value of {limit} characters.")
    return validation(
        f"Standard tier parameters support a maximum parameter value of {limit} characters. To create a larger "
        "parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see "
        f"{_TIERS_PAGE}"
    )


def oldest_is_labelled(name: str, version: int) -> ServiceError:
    return ServiceError(
        "ParameterMaxVersionLimitExceeded",
        f"You attempted to create a new version of {name} by calling the PutParameter API with the overwrite flag. "
        f"Version {version}, the oldest version, can't be deleted because it has a label associated with it. Move the "
        "label to another version of the parameter, and try again.",
    )


def too_many_labels() -> ServiceError:
    return ServiceError(
        "ParameterVersionLabelLimitExceeded",
        "An error occurred (ParameterVersionLabelLimitExceeded) when calling the LabelParameterVersion operation: A "
        "parameter version can have maximum 10 labels.Move one or more labels to another version and try again.",
    )


def bad_token() -> ServiceError:
    return ServiceError("InvalidNextToken", "The specified token is not valid.")
