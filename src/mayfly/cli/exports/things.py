"""What readers of services find: things that a template can make, in the form of its resources, values as they are.

References are no part of that: a reader writes down names and ARNs, and says by which texts others know what it found.
`references` makes `Ref` and `Fn::GetAtt` of them, once all is found.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

from mayfly.cli.connection import Connection

# Of operations whose pages botocore does not know: what a reply has, and how the next request says it.
_TOKENS = (("NextToken", "NextToken"), ("nextToken", "nextToken"), ("NextMarker", "Marker"), ("position", "position"))


@dataclass(frozen=True, slots=True)
class Name:
    """Stands among properties for what has that name: a reference where it is exported, the name otherwise."""

    type: str  # "AWS::S3::Bucket"
    name: str  # what `Ref` gives
    attribute: str = ""  # of which the value is meant; "" is what `Ref` gives


@dataclass(frozen=True, slots=True)
class Given:
    """Stands among properties for a value that is the parameter of a template, because it is not written down or is
    another one in another place."""

    what: str  # the description of the parameter
    secret: bool = True  # not shown by whoever describes the stack
    kind: str = "String"
    default: str | None = None  # None: it has to be given


@dataclass(frozen=True, slots=True)
class State:
    """What a function was when a version of it was published."""

    properties: dict[str, Any]  # of AWS::Lambda::Function: those that are a version's, all of them
    sha256: str  # of its package, as `CodeSha256`; of an image, its digest


@dataclass(slots=True)
class Thing:
    """One resource."""

    type: str
    name: str  # of which its logical id is made
    ref: str  # what `Ref` gives, and what a stack knows it by
    properties: dict[str, Any]
    attributes: Mapping[str, str] = field(default_factory=dict)  # what `Fn::GetAtt` gives, by attribute
    foreseen: bool = True  # another place gives it the same name, so its ARN can be said without a reference
    unforeseen: frozenset[str] = frozenset()  # attributes of which that is not true
    address: str = ""  # of its package of code
    sha256: str = ""  # of that, as `CodeSha256`
    after: tuple[str, ...] = ()  # texts by which that is known which has to be there before it
    also: tuple[str, ...] = ()  # further texts that mean what `Ref` gives
    optional: bool = False  # exported only where something refers to it
    of: str = ""  # `ref` of what it is exported with alone
    number: int = 0  # of a version; those of the same `series` are made in this order
    series: str = ""  # the name of what it is a version of
    state: State | None = None  # of the function, where it is a version of one


@dataclass(slots=True)
class Reading:
    """What a reader works with: the platform, what stacks hold, and what there is to say of what is not exported."""

    connection: Connection
    held: frozenset[tuple[str, str]]  # types and physical ids
    notes: list[str] = field(default_factory=list)
    roles: set[str] = field(default_factory=set)  # ARNs that are asked for
    clients: dict[str, Any] = field(default_factory=dict)  # of services that were asked before
    session: Any = field(default_factory=boto3.session.Session)  # that they are of

    def client(self, service: str) -> Any:
        """A boto3 client: one a service, since it costs more to make than a request."""
        if service not in self.clients:
            self.clients[service] = self.connection.client(service, self.session)
        return self.clients[service]

    def is_held(self, kind: str, physical_id: str) -> bool:
        """Whether a stack has it."""
        return (kind, physical_id) in self.held

    def pages(self, service: str, operation: str, member: str, **params: Any) -> Iterator[Any]:
        """The items of all pages."""
        client = self.client(service)
        if client.can_paginate(operation):
            for page in client.get_paginator(operation).paginate(**params):
                yield from page.get(member, ())
            return
        given, taken = tokens(client, operation)
        token: dict[str, str] = {}
        while True:
            page = getattr(client, operation)(**params, **token)
            yield from page.get(member, ())
            if not given or not page.get(given):
                return
            token = {taken: page[given]}


def tokens(client: Any, operation: str) -> tuple[str, str]:
    """The members of a reply and of a request by which a page leads to the next; empty where all comes at once."""
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    shapes = (model.output_shape, model.input_shape)
    replies, requests = (frozenset(shape.members) if shape is not None else frozenset() for shape in shapes)
    for given, taken in _TOKENS:
        if given in replies and taken in requests:
            return given, taken
    return "", ""


Reader = Callable[[Reading], Iterator[Thing]]


def unless(codes: str, call: Callable[..., Any], **params: Any) -> Any:
    """The reply; None if the call fails with one of the error codes in `codes` (apart by blanks)."""
    try:
        return call(**params)
    except ClientError as error:
        if error.response["Error"]["Code"] in codes.split():
            return None
        raise


def said(found: Mapping[str, Any], names: str, defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The members of `found` under `names` (apart by blanks) that say something: not nothing, and no default."""
    kept = {}
    for name in names.split():
        value = found.get(name)
        if value is None or value in ("", [], {}) or (defaults is not None and defaults.get(name) == value):
            continue
        kept[name] = value
    return kept


def tags_of(found: Mapping[str, str] | list[dict[str, str]] | None) -> dict[str, Any]:
    """`Tags` as most types have them; nothing where there are none. Those of AWS's own cannot be set."""
    pairs = found.items() if isinstance(found, Mapping) else ((tag["Key"], tag["Value"]) for tag in found or ())
    tags = [{"Key": key, "Value": value} for key, value in sorted(pairs) if not key.startswith("aws:")]
    return {"Tags": tags} if tags else {}


def upper(found: Any) -> Any:
    """What an API says whose members begin in lower case, as templates say it."""
    if isinstance(found, Mapping):
        return {name[:1].upper() + name[1:]: upper(value) for name, value in found.items()}
    return [upper(value) for value in found] if isinstance(found, list) else found
