"""The kinds of APIs, a line each; what they keep is listed in the package itself. Called by `service`."""

from collections.abc import Sequence

from mayfly.services.apis.domains.kind import domains_kind
from mayfly.services.apis.http.kind import http_kind
from mayfly.services.apis.parts import Kind, Parts
from mayfly.services.apis.rest.kind import rest
from mayfly.services.apis.websocket.kind import websocket_kind


def kinds(parts: Parts) -> Sequence[Kind]:
    """Every kind, in the order in which they start; they stop in reverse."""
    websocket, forget = websocket_kind(parts)
    found = (websocket, http_kind(parts, forget), rest(parts))
    answers = {name: answering for kind in found for name, answering in kind.answers.items()}
    return (*found, domains_kind(parts, answers))
