"""The errors of APIs of version 2 in their wire form, with API Gateway's own words where they are known."""

from mayfly.services.contract import ServiceError

# How messages call the kinds of parts.
_NAMES = {
    "authorizer": "Authorizer",
    "deployment": "Deployment",
    "integration": "Integration",
    "integration-response": "IntegrationResponse",
    "model": "Model",
    "route": "Route",
    "route-response": "RouteResponse",
}


def bad(message: str) -> ServiceError:
    return ServiceError("BadRequestException", message, status=400)


def conflict(message: str) -> ServiceError:
    return ServiceError("ConflictException", message, status=409)


def not_found(message: str) -> ServiceError:
    return ServiceError("NotFoundException", message, status=404)


def no_api(api_id: str) -> ServiceError:
    return not_found(f"Invalid API identifier specified {api_id}")


def no_part(kind: str, part_id: str) -> ServiceError:
    if kind == "stage":
        return not_found("Invalid stage identifier specified")
    return not_found(f"Invalid {_NAMES[kind]} identifier specified {part_id}")


def too_many(kind: str, most: int) -> ServiceError:
    plural = {"stage": "stages", "api": "APIs"}.get(kind) or f"{_NAMES[kind]}s"
    where = "this account" if kind == "api" else "this API"
    return bad(f"Maximum number of {plural} for {where} has been reached: there can be {most}.")


def bad_page() -> ServiceError:
    return bad("Invalid nextToken specified")


def refused(what: str, why: str) -> ServiceError:
    """What AWS has, and Mayfly cannot do, with the reason."""
    return bad(f"{what} is not supported by Mayfly: {why}")
