"""Filters of DescribeParameters and GetParametersByPath: what they may say, and what they let through. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mayfly.services.configs.parameters import faults, names
from mayfly.services.configs.parameters.model import Parameter, Place, Version
from mayfly.services.contract import ServiceError

# Whether a version of a parameter passes.
Test = Callable[[Place, Parameter, Version], bool]

_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Name": ("BeginsWith", "Equals", "Contains"),
    "Type": ("BeginsWith", "Equals"),
    "KeyId": ("BeginsWith", "Equals"),
    "DataType": ("BeginsWith", "Equals"),
    "Tier": ("BeginsWith", "Equals"),
    "Label": ("BeginsWith", "Equals"),
    "Path": ("Recursive", "OneLevel"),
}
_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "Tier": ("Standard", "Advanced", "Intelligent-Tiering"),
    "Type": ("String", "StringList", "SecureString"),
}
_OF_LISTS = ("Path", "Name", "Type", "KeyId", "Tier", "DataType")
_OF_PATHS = ("Type", "KeyId", "Label")
_MOST_PATHS = 5


def of_list(given: Sequence[Mapping[str, Any]]) -> list[Test]:
    """What `ParameterFilters` of DescribeParameters ask for; `ServiceError`."""
    seen: set[str] = set()
    tests = []
    for one in given:
        key = one["Key"]
        if not key.startswith("tag:") and key not in _OF_LISTS:
            raise _bad_key(key, ("Path", "Name", "Type", "KeyId", "Tier"))
        tests.append(_test(one, seen))
    return tests


def of_path(given: Sequence[Mapping[str, Any]]) -> list[Test]:
    """What those of GetParametersByPath ask for; `ServiceError`."""
    seen: set[str] = set()
    tests = []
    for one in given:
        if one["Key"] not in _OF_PATHS:
            raise ServiceError(
                "InvalidFilterKey",
                f"The following filter key is not valid: {one['Key']}. Valid filter keys include: [Type, KeyId].",
            )
        tests.append(_test(one, seen))
    return tests


def of_old_list(given: Sequence[Mapping[str, Any]]) -> list[Test]:
    """What `Filters`, the older form, ask for: values that names begin with, or that others are."""
    return [_test({**one, "Option": "BeginsWith" if one["Key"] == "Name" else "Equals"}, set()) for one in given]


def _test(given: Mapping[str, Any], seen: set[str]) -> Test:
    key, values = given["Key"], given.get("Values", [])
    if key in seen:
        raise faults.validation(
            f"The following filter is duplicated in the request: {key}. A request can contain only one occurrence of a "
            "specific filter."
        )
    seen.add(key)
    if key.startswith("tag:"):
        return _of_tag(key.removeprefix("tag:"), given.get("Option", "Equals"), values)
    if not values:
        raise ServiceError("InvalidFilterValue", f"The following filter values are missing : null for filter key {key}")
    option = given.get("Option", "OneLevel" if key == "Path" else "Equals")
    if option not in _OPTIONS[key]:
        raise _bad_option(option, ("Recursive", "OneLevel") if key == "Path" else ("BeginsWith", "Equals"))
    if key == "Path":
        return _of_path(values, recursive=option == "Recursive")
    if wrong := [value for value in values if option == "Equals" and value not in _VALUES.get(key, (value,))]:
        raise ServiceError(
            "InvalidFilterValue",
            f"The following filter value is not valid: {wrong[0]}. Valid values include: [{', '.join(_VALUES[key])}].",
        )
    return _of_text(key, option, values)


def _of_tag(tag: str, option: str, values: Sequence[str]) -> Test:
    if option not in _OPTIONS["Type"]:
        raise _bad_option(option, _OPTIONS["Type"])

    def test(place: Place, parameter: Parameter, version: Version) -> bool:
        value = parameter.tags.get(tag)
        if value is None or not values:
            return value is not None
        return value in values if option == "Equals" else value.startswith(tuple(values))

    return test


def _of_path(values: Sequence[str], *, recursive: bool) -> Test:
    for value in values:
        if value.lower().startswith(("/aws", "/ssm")):
            raise faults.validation(
                'Filters for common parameters can\'t be prefixed with "aws" or "ssm" (case-insensitive). When using '
                "global parameters, please specify within a global namespace."
            )
        names.check_path(value)
    if len(values) > _MOST_PATHS:
        raise ServiceError("InvalidFilterValue", f"A filter can name at most {_MOST_PATHS} paths.")
    prefixes = tuple(names.under(value) for value in values)

    def test(place: Place, parameter: Parameter, version: Version) -> bool:
        return any(is_under(place.path, prefix, recursive=recursive) for prefix in prefixes)

    return test


def is_under(path: str, prefix: str, *, recursive: bool) -> bool:
    """Whether a parameter is below `prefix`, which ends with a slash: anywhere, or right below."""
    return path.startswith(prefix) and (recursive or "/" not in path[len(prefix) :])


def _of_text(key: str, option: str, values: Sequence[str]) -> Test:
    """A name is compared with the slash before it if it is looked for with one."""

    def matches(text: str, value: str) -> bool:
        if key == "Name" and value.startswith("/"):
            text = f"/{text}"
        if option == "Equals":
            return text == value
        return text.startswith(value) if option == "BeginsWith" else value in text

    def test(place: Place, parameter: Parameter, version: Version) -> bool:
        return any(matches(text, value) for text in _texts(key, place, version) for value in values)

    return test


def _texts(key: str, place: Place, version: Version) -> Sequence[str]:
    if key == "Name":
        return (place.path.removeprefix("/"),)
    if key == "Label":
        return version.labels
    return ({"Type": version.kind, "KeyId": version.key_id, "Tier": version.tier, "DataType": version.data_type}[key],)


def _bad_key(key: str, valid: Sequence[str]) -> ServiceError:
    return ServiceError(
        "InvalidFilterKey",
        f"The following filter key is not valid: {key}. Valid filter keys include: [{', '.join(valid)}].",
    )


def _bad_option(option: str, valid: Sequence[str]) -> ServiceError:
    return ServiceError(
        "InvalidFilterOption",
        f"The following filter option is not valid: {option}. Valid options include: [{', '.join(valid)}].",
    )
