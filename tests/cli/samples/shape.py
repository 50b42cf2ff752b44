"""The shape of an event: its members, and of which kind each is."""

# What is there as it happens to be: any names, of any values.
OPEN = frozenset(("headers", "messageAttributes", "MessageAttributes", "detail", "queryStringParameters", "dimensions"))
# Told by what asked for it, and of no sample.
BY_CHANCE = frozenset(("versionId", "SequenceNumber", "reasonData"))


def shape(value: object) -> object:
    """Of JSON."""
    if isinstance(value, dict):
        return {name: "open" if name in OPEN else shape(one) for name, one in value.items() if name not in BY_CHANCE}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
