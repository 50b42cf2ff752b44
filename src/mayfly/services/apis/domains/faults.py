"""The errors of custom domain names, in API Gateway's own words where they are known."""

from mayfly.services.contract import ServiceError


def bad(message: str) -> ServiceError:
    return ServiceError("BadRequestException", message, status=400)


def no_domain() -> ServiceError:
    return ServiceError("NotFoundException", "Invalid domain name identifier specified", status=404)


def exists() -> ServiceError:
    return ServiceError("ConflictException", "The domain name you provided already exists.", status=409)


def no_mapping() -> ServiceError:
    return ServiceError("NotFoundException", "Invalid base path mapping identifier specified", status=404)


def path_taken() -> ServiceError:
    return ServiceError("ConflictException", "Base path already exists for this domain name", status=409)


def bad_token() -> ServiceError:
    return bad("Invalid nextToken specified")
