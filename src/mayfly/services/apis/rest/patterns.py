"""Regular expressions of APIs, held against what clients and backends send: bounded in time, so that none can hold up
the server. Java's, as API Gateway's are."""

from mayfly.vtl import regexes
from mayfly.vtl.errors import TemplateLimitError, TemplateRunError


def matches(pattern: str, text: str) -> bool:
    """Whether all of a text matches, a dot being any character; False where that takes too long, or cannot be."""
    try:
        return regexes.matches(text, f"(?s:{pattern})")
    except TemplateRunError:
        return False


def found(pattern: str, text: str) -> bool:
    """Whether some of a text matches; False where that takes too long, True where the pattern is none."""
    try:
        return regexes.matches(text, pattern, whole=False)
    except TemplateLimitError:
        return False
    except TemplateRunError:
        return True
