"""Tags of queues."""

import re
from collections.abc import Mapping

from mayfly.services.queues.errors import InvalidValueError

MOST = 50
_ALLOWED = re.compile(r"[\w\s+=._:/@-]*\Z")


def checked(tags: Mapping[str, str]) -> dict[str, str]:
    """`tags` if a queue may have them; `InvalidValueError`."""
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or not _ALLOWED.match(key):
            raise InvalidValueError(f"Tag keys must be between 1 and 128 characters in length: {key!r} is not.")
        if key.lower().startswith("aws:"):
            raise InvalidValueError("Tag keys starting with aws: are reserved for system use.")
        if len(value) > 256 or not _ALLOWED.match(value):
            raise InvalidValueError(
                f"Tag values must be between 0 and 256 characters in length: that of {key!r} is not."
            )
    if len(tags) > MOST:
        raise InvalidValueError(f"Too many tags added for queue: the limit is {MOST}.")
    return dict(tags)
