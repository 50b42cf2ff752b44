"""What somebody may have meant who named something that is not there."""

import difflib
import re
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from mayfly.cli.connection import Connection

_MOST = 3
_FUNCTION = re.compile(r"Function not found: arn:aws:lambda:[^:]+:[^:]*:function:([^:]+)")


def hint(name: str, names: Iterable[str]) -> str:
    """The end of a sentence that says that there is no `name`: what there is that is called almost so, or nothing."""
    known = {each.lower(): each for each in names}
    alike = difflib.get_close_matches(name.lower(), known, n=_MOST, cutoff=0.6)
    return f"; did you mean {' or '.join(known[each] for each in alike)}?" if alike else ""


def names_no_function(message: str) -> bool:
    """Whether a message of AWS's says that there is no such function."""
    return _FUNCTION.search(message) is not None


def function_hint(connection: Connection, message: str) -> str:
    """`hint` for such a message; nothing for any other."""
    missing = _FUNCTION.search(message)
    if missing is None:
        return ""
    try:
        pages = connection.client("lambda").get_paginator("list_functions").paginate()
        return hint(missing[1], (one["FunctionName"] for page in pages for one in page["Functions"]))
    except (BotoCoreError, ClientError):  # whoever may ask for one need not be allowed to list all
        return ""
