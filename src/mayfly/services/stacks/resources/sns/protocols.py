"""Where AWS's topics deliver to and Mayfly's do not."""

from mayfly.services.stacks.resources.schema import STRING, Partly

_ALONE = "only AWS delivers there; subscribe a queue, a function or a URL."
PROTOCOL = Partly(
    {
        "email*": f"Mayfly sends no mail: {_ALONE}",
        "sms": f"Mayfly sends no text messages: {_ALONE}",
        "application": f"Mayfly reaches no mobile applications: {_ALONE}",
        "firehose": f"Mayfly has no Firehose: {_ALONE}",
    },
    STRING,
)
