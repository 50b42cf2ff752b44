"""Whether mapping templates can be read: asked when they are put, so that one that cannot is never kept."""

import asyncio
from collections.abc import Mapping

from mayfly.services.contract import ServiceError
from mayfly.vtl.errors import TemplateError
from mayfly.vtl.template import compile_template

_QUICK = 8 * 1024  # characters that are read in some milliseconds


def check(templates: Mapping[str, str | None]) -> None:
    """Refuse the first that is broken: BadRequestException with its content type, the place and the cause."""
    for kind, text in templates.items():
        try:
            compile_template(text or "")
        except TemplateError as error:
            raise ServiceError(
                "BadRequestException",
                f"Validation Result: warnings : [], errors : [Invalid mapping template specified for {kind}: {error}]",
                status=400,
            ) from None


async def check_put(templates: Mapping[str, str | None] | None) -> None:
    """`check`, in a thread where it takes longer than a turn of the loop may."""
    found = templates or {}
    if sum(len(text or "") for text in found.values()) > _QUICK:
        await asyncio.to_thread(check, found)
    else:
        check(found)
