"""The errors of events in their wire form, with EventBridge's own words where it is known to say them."""

from mayfly.services.contract import ServiceError


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def invalid_pattern(reason: str) -> ServiceError:
    return ServiceError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def not_found(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message)


def no_bus(name: str) -> ServiceError:
    return not_found(f"Event bus {name} does not exist.")


def no_rule(name: str, bus: str) -> ServiceError:
    return not_found(f"Rule {name} does not exist on EventBus {bus}.")


def no_archive(name: str) -> ServiceError:
    return not_found(f"Archive {name} does not exist.")


def no_replay(name: str) -> ServiceError:
    return not_found(f"Replay {name} does not exist.")


def no_event_source(name: str) -> ServiceError:
    return not_found(f"Event source {name} does not exist.")


def exists(kind: str, name: str) -> ServiceError:
    return ServiceError("ResourceAlreadyExistsException", f"{kind} {name} already exists.")


def limit() -> ServiceError:
    return ServiceError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


def managed(rule: str, by: str) -> ServiceError:
    return ServiceError("ManagedRuleException", f"Rule {rule} is managed by {by}; say Force to change it all the same.")


def no_partners() -> ServiceError:
    return ServiceError(
        "OperationDisabledException",
        "Partner event sources belong to AWS's partner programme: Mayfly has none. Put events on a custom bus instead.",
    )


def bad_token() -> ServiceError:
    return invalid("Parameter NextToken is not valid.")
