"""Connections: how the platform makes itself known to somebody's HTTP endpoint. Types, and their two halves.

What a caller gives is split into what is shown again and what is secret; the secret half is sealed and never leaves the
service by any operation. Pure. Used by the operations, the authorizer and deliveries.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from mayfly.ids import Arn
from mayfly.services.events import errors

Kind = Literal["BASIC", "API_KEY", "OAUTH_CLIENT_CREDENTIALS"]
State = Literal["AUTHORIZING", "AUTHORIZED", "DEAUTHORIZED"]

# What belongs to the connection itself, and not to those who set one up.
FORBIDDEN_HEADERS = frozenset(
    ("connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
_PARAMETERS: Mapping[Kind, str] = {
    "BASIC": "BasicAuthParameters",
    "API_KEY": "ApiKeyAuthParameters",
    "OAUTH_CLIENT_CREDENTIALS": "OAuthParameters",
}


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A header, a part of a query or a member of a body. `value` is None where it is secret."""

    key: str
    value: str | None = None


class Parameters(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is added to a request."""

    headers: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    body: tuple[Parameter, ...] = ()


class Connection(msgspec.Struct, frozen=True, omit_defaults=True):
    """A connection without its secrets. `revision` rises with every change of what it authorizes with."""

    id: str
    kind: Kind
    state: State
    created_at: float
    modified_at: float
    revision: int = 1
    authorized_at: float | None = None
    description: str | None = None
    reason: str | None = None  # why it is not authorized
    user: str = ""  # user name, name of the key's header, or id of the client
    endpoint: str = ""  # of OAuth
    method: str = ""
    oauth: Parameters = Parameters()
    invocation: Parameters = Parameters()
    invocation_said: bool = False  # even if there was nothing in it, which is shown then


class Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """The other half. Values of parameters are by where they go and their key: "headers:X-Token"."""

    value: str = ""  # password, API key or client secret
    oauth: dict[str, str] = {}
    invocation: dict[str, str] = {}


class ConnectionKey(NamedTuple):
    """Which connection."""

    account: str
    region: str
    name: str

    def arn(self, id_: str) -> str:
        return str(Arn("events", self.region, self.account, f"connection/{self.name}/{id_}"))

    def secret_arn(self, id_: str) -> str:
        return str(
            Arn("secretsmanager", self.region, self.account, f"secret:events!connection/{self.name}/{id_}-{id_[:6]}")
        )


class Given(NamedTuple):
    """What a caller said, read."""

    user: str
    endpoint: str
    method: str
    oauth: Parameters
    invocation: Parameters
    invocation_said: bool
    secret: Secret


def key_of_arn(arn: str) -> tuple[ConnectionKey, str] | None:
    """The connection with that ARN, and its id; None when it is no ARN of a connection."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return None
    pieces = parsed.resource.split("/")
    if parsed.service != "events" or len(pieces) != 3 or pieces[0] != "connection":
        return None
    return ConnectionKey(parsed.account, parsed.region, pieces[1]), pieces[2]


def given(kind: Kind, auth: Mapping[str, Any]) -> Given:
    """`AuthParameters` for an authorization of that kind; ValidationException."""
    if "ConnectivityParameters" in auth:
        raise errors.invalid("Private connectivity is made of AWS's VPC Lattice: Mayfly has none.")
    wanted = _PARAMETERS[kind]
    said = [name for name in _PARAMETERS.values() if name in auth]
    if said != [wanted]:
        raise errors.invalid(
            f"Parameter AuthParameters is not valid. Reason: {wanted} and no other must be given for {kind}."
        )
    own = auth[wanted]
    invocation, invocation_secret = _parameters(auth.get("InvocationHttpParameters", {}))
    said_so = "InvocationHttpParameters" in auth
    if kind == "BASIC":
        secret = Secret(own["Password"], {}, invocation_secret)
        return Given(own["Username"], "", "", Parameters(), invocation, said_so, secret)
    if kind == "API_KEY":
        _check_header(own["ApiKeyName"])
        secret = Secret(own["ApiKeyValue"], {}, invocation_secret)
        return Given(own["ApiKeyName"], "", "", Parameters(), invocation, said_so, secret)
    oauth, oauth_secret = _parameters(own.get("OAuthHttpParameters", {}))
    check_endpoint(own["AuthorizationEndpoint"], "AuthorizationEndpoint")
    client = own["ClientParameters"]
    secret = Secret(client["ClientSecret"], oauth_secret, invocation_secret)
    return Given(
        client["ClientID"], own["AuthorizationEndpoint"], own["HttpMethod"], oauth, invocation, said_so, secret
    )


def changed(kind: Kind, auth: Mapping[str, Any], known: Connection, secret: Secret) -> Given:
    """`AuthParameters` of an update: what is left out stays as it was, unless the kind is another one now."""
    if kind != known.kind:
        return given(kind, auth)
    wanted = _PARAMETERS[kind]
    own = dict(auth.get(wanted, {}))
    if kind == "BASIC":
        own = {"Username": known.user, "Password": secret.value} | own
    elif kind == "API_KEY":
        own = {"ApiKeyName": known.user, "ApiKeyValue": secret.value} | own
    else:
        client = {"ClientID": known.user, "ClientSecret": secret.value} | own.get("ClientParameters", {})
        kept = {"OAuthHttpParameters": _said(known.oauth, secret.oauth)}
        own = {"AuthorizationEndpoint": known.endpoint, "HttpMethod": known.method} | kept | own
        own["ClientParameters"] = client
    kept = {"InvocationHttpParameters": _said(known.invocation, secret.invocation)} if known.invocation_said else {}
    return given(kind, {**kept, **auth, wanted: own})


def shown(connection: Connection) -> dict[str, Any]:
    """`AuthParameters` as they are described: without secrets."""
    own: dict[str, Any]
    if connection.kind == "BASIC":
        own = {"Username": connection.user}
    elif connection.kind == "API_KEY":
        own = {"ApiKeyName": connection.user}
    else:
        own = {
            "ClientParameters": {"ClientID": connection.user},
            "AuthorizationEndpoint": connection.endpoint,
            "HttpMethod": connection.method,
        }
        if connection.oauth != Parameters():
            own["OAuthHttpParameters"] = _said(connection.oauth, None)
    found: dict[str, Any] = {_PARAMETERS[connection.kind]: own}
    if connection.invocation_said:
        found["InvocationHttpParameters"] = _said(connection.invocation, None)
    return found


def whole(parameters: Parameters, secret: Mapping[str, str]) -> "Whole":
    """Parameters with their secret values in place."""

    def pairs(place: str, some: Iterable[Parameter]) -> tuple[tuple[str, str], ...]:
        return tuple((one.key, secret[f"{place}:{one.key}"] if one.value is None else one.value) for one in some)

    return Whole(pairs("headers", parameters.headers), pairs("query", parameters.query), pairs("body", parameters.body))


class Whole(NamedTuple):
    """Parameters as they are sent."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    body: tuple[tuple[str, str], ...] = ()


def check_endpoint(url: str, member: str) -> None:
    """ValidationException unless a URL is absolute and HTTP."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest or rest.startswith(("/", "?", "#")):
        raise errors.invalid(f"Parameter {member} is not valid. Reason: it must be a URL that begins with https://.")
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if "*" in authority:  # or the senders of events would choose whom they reach
        raise errors.invalid(f"Parameter {member} is not valid. Reason: * can stand in the path only.")


def _parameters(said: Mapping[str, Any]) -> tuple[Parameters, dict[str, str]]:
    secrets: dict[str, str] = {}

    def read(place: str, members: Iterable[Mapping[str, Any]]) -> tuple[Parameter, ...]:
        found: dict[str, Parameter] = {}
        for member in members:
            key, value = member.get("Key"), member.get("Value", "")
            if not key:
                raise errors.invalid("Parameter Key is not valid. Reason: it must not be empty.")
            if place == "headers":
                _check_header(key)
            if member.get("IsValueSecret", False):
                secrets[f"{place}:{key}"] = value
            found[key] = Parameter(key, None if member.get("IsValueSecret", False) else value)
        return tuple(found.values())

    parameters = Parameters(
        read("headers", said.get("HeaderParameters", ())),
        read("query", said.get("QueryStringParameters", ())),
        read("body", said.get("BodyParameters", ())),
    )
    return parameters, secrets


def _said(parameters: Parameters, secret: Mapping[str, str] | None) -> dict[str, Any]:
    """Parameters in the form in which they are given. `secret` None: without secret values."""

    def members(place: str, some: Iterable[Parameter]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for one in some:
            value = one.value if secret is None or one.value is not None else secret[f"{place}:{one.key}"]
            known = {} if value is None else {"Value": value}
            found.append({"Key": one.key, **known, "IsValueSecret": one.value is None})
        return found

    said = {
        "HeaderParameters": members("headers", parameters.headers),
        "QueryStringParameters": members("query", parameters.query),
        "BodyParameters": members("body", parameters.body),
    }
    return {name: some for name, some in said.items() if some}


def _check_header(name: str) -> None:
    if name.lower() in FORBIDDEN_HEADERS:
        raise errors.invalid(f"Header {name} cannot be set: the platform writes it itself.")
