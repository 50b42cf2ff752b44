"""All kinds of sample events, what may be said of each, and the saying of it. Pure but for the ids of `Place`."""

import inspect
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mayfly.cli.samples import happenings, messages, web
from mayfly.cli.samples.place import Place
from mayfly.errors import CallerError

KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "alarm": happenings.alarm,
    "alb": web.alb,
    "apigateway:v1": web.rest_api,
    "apigateway:v2": web.http_api,
    "apigateway:authorizer": web.authorizer,
    "apigateway:authorizer-v2": web.authorizer_v2,
    "apigateway:websocket": web.websocket,
    "cloudformation": happenings.cloudformation,
    "cloudwatch-logs": happenings.logs,
    "cognito": happenings.cognito,
    "dynamodb": messages.dynamodb,
    "eventbridge": happenings.eventbridge,
    "firehose": messages.firehose,
    "kafka": messages.kafka,
    "kafka:self-managed": messages.kafka_self_managed,
    "kinesis": messages.kinesis,
    "s3:put": happenings.s3_put,
    "s3:delete": happenings.s3_delete,
    "schedule": happenings.schedule,
    "secretsmanager": happenings.secret,
    "ses": happenings.ses,
    "sns": messages.sns,
    "sqs": messages.sqs,
    "stepfunctions": happenings.workflow,
    "url": web.url,
}
_ALIASES = {
    "apigateway": "apigateway:v2",
    "http": "apigateway:v2",
    "rest": "apigateway:v1",
    "events": "eventbridge",
    "cloudwatch-events": "eventbridge",
    "logs": "cloudwatch-logs",
    "msk": "kafka",
    "s3": "s3:put",
    "states": "stepfunctions",
    "websocket": "apigateway:websocket",
    "scheduled": "schedule",
    "function-url": "url",
}
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


class SampleError(CallerError):
    """There is no such kind of event, or nothing of it is called that."""


class Field(NamedTuple):
    """What may be said of a kind."""

    parameter: str
    name: str
    kind: str  # text, number or JSON
    default: object


def fields(kind: str) -> list[Field]:
    """Those of a kind, which is a key of `KINDS`."""
    found = []
    for name, parameter in list(inspect.signature(KINDS[kind]).parameters.items())[1:]:
        told = "number" if parameter.annotation is int else "text" if parameter.annotation is str else "JSON"
        found.append(Field(name, name.strip("_").replace("_", "-"), told, parameter.default))
    return found


def summary(kind: str) -> str:
    """A kind in one sentence."""
    return " ".join((inspect.getdoc(KINDS[kind]) or "").partition("\n\n")[0].split())


def kind_of(name: str) -> str:
    """The kind that somebody means; `SampleError`."""
    known = _ALIASES.get(name.lower(), name.lower())
    if known not in KINDS:
        raise SampleError(f"there is no sample event {name!r}; there are {', '.join(KINDS)}")
    return known


def sample(name: str, settings: Sequence[str], place: Place) -> dict[str, Any]:
    """An event of a kind; each of `settings` is NAME=VALUE, where NAME is one of its fields, or leads to a member of
    the event: `Records[0].attributes.SenderId`. `SampleError`."""
    kind = kind_of(name)
    known = {field.name: field for field in fields(kind)}
    given: dict[str, Any] = {}
    members: list[tuple[str, str]] = []
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise SampleError(f"--set takes NAME=VALUE, not {setting!r}")
        field = known.get(key.replace("_", "-"))
        if field is not None:
            given[field.parameter] = _typed(field, value)
        else:
            members.append((key, value))
    event = KINDS[kind](place, **given)
    for key, value in members:
        _put(event, key, _json_or_text(value), kind)
    return event


def _typed(field: Field, value: str) -> object:
    if field.kind == "text":
        return value
    if field.kind == "JSON":
        return _json_or_text(value)
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise SampleError(f"{field.name} is a number, not {value!r}")
    return int(value)


def _json_or_text(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _put(event: dict[str, Any], path: str, value: object, kind: str) -> None:
    """Set a member that is there, or a new one of an object within the event."""
    steps: list[Any] = [int(step[1]) if step[1] else step[2] for step in _STEP.finditer(path)]
    holder: Any = event
    try:
        for step in steps[:-1]:
            holder = holder[step]
        if not isinstance(holder, list if isinstance(steps[-1], int) else dict):
            raise TypeError
        if isinstance(holder, list) or len(steps) == 1:
            holder[steps[-1]]  # a new one there would be a mistake in writing
        holder[steps[-1]] = value
    except (LookupError, TypeError) as error:
        names = ", ".join(field.name for field in fields(kind))
        raise SampleError(
            f"{path} leads nowhere in an event of {kind}; say one of {names}, or a member such as Records[0].body"
        ) from error
