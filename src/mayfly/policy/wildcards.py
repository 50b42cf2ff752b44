"""IAM's wildcards: `*` for any run of characters, `?` for one. Pure.

Used by services that judge policies which somebody wrote: trust policies of roles, resource policies of functions.
"""


def like(pattern: str, text: str) -> bool:
    """Whether all of `text` is what `pattern` says. At most len(pattern) * len(text) steps."""
    at = matched = 0
    star, resume = -1, 0
    while matched < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, matched
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[matched]):
            at += 1
            matched += 1
        elif star >= 0:
            resume += 1
            at, matched = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")
