"""What of a message goes to an integration, and what of its answer to the client. Pure but for templates."""

import base64
import binascii
import re
from typing import Any

from mayfly.services.apis.integrations.api import Call, IntegrationError, Outcome
from mayfly.services.apis.websocket import selection
from mayfly.services.apis.websocket.compiled import Integration, Reply, Stage
from mayfly.services.apis.websocket.exchange import Exchange
from mayfly.services.apis.websocket.exchange import context_of as event_context
from mayfly.vtl import relaxed_json
from mayfly.vtl.errors import TemplateError
from mayfly.vtl.template import Scope, Template, context_of

_USUAL = "application/json"  # the key of templates that nothing selects
TO_BINARY, TO_TEXT = "CONVERT_TO_BINARY", "CONVERT_TO_TEXT"  # of `ContentHandlingStrategy`
_TARGET = re.compile(r"integration\.request\.(header|querystring|path)\.(.+)")


class UnmappedError(Exception):
    """The message has no template, and may not go without one."""


class Mapping:
    """One message, its route chosen."""

    def __init__(self, stage: Stage, exchange: Exchange) -> None:
        self._stage = stage
        self._exchange = exchange
        self._context = context_of(event_context(exchange))

    def call(self, integration: Integration, arn: str) -> Call:
        """What the integration is asked; `UnmappedError`, `IntegrationError` where a template fails."""
        body = self._body(integration)
        placed: dict[str, list[tuple[str, str]]] = {"header": [], "querystring": [], "path": []}
        for target, source in integration.parameters.items():
            match = _TARGET.fullmatch(target)
            value = self.lookup_source(source)
            if match is not None and value is not None:
                placed[match[1]].append((match[2], value))
        for place, override in self._context["requestOverride"].items():
            names = {name.lower() for name in override}
            placed[place] = [pair for pair in placed[place] if pair[0].lower() not in names]
            placed[place] += [(name, str(value)) for name, value in override.items()]
        uri = integration.uri
        for name, value in placed["path"]:
            uri = uri.replace(f"{{{name}}}", value)
        headers = placed["header"]
        if body and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        return Call(
            integration.method,
            uri,
            self._exchange.request_id,
            arn,
            tuple(headers),
            tuple(placed["querystring"]),
            body,
            integration.timeout_s,
            integration.credentials,
        )

    def _body(self, integration: Integration) -> bytes:
        message = self._exchange.message
        raw = b"" if message is None else message.data
        key = selection.selected(integration.template_selection, self.lookup)
        templates = integration.templates
        template = templates.get(key) if key is not None else None
        if template is None:
            template = templates.get(selection.DEFAULT) or templates.get(_USUAL)
        if template is not None:
            raw = self._rendered(template, self._exchange.text).encode()
            return _binary(raw) if integration.content == TO_BINARY else raw
        if integration.passthrough == "NEVER" or (integration.passthrough == "WHEN_NO_TEMPLATES" and templates):
            raise UnmappedError
        if integration.content == TO_BINARY:
            return _binary(raw)
        return self._exchange.text.encode() if integration.content == TO_TEXT else raw

    def _rendered(self, template: "Template | TemplateError", body: str) -> str:
        facts = self._exchange.facts
        params = {
            "header": {name: values[-1] for name, values in facts.headers.items()},
            "querystring": {name: values[-1] for name, values in facts.query.items()},
        }
        try:
            if isinstance(template, TemplateError):
                raise template
            return template.render(Scope(body, params, self._context, self._stage.variables))
        except TemplateError as error:
            raise IntegrationError("configuration", f"A mapping template failed: {error}") from error

    def reply(self, integration: Integration, outcome: Outcome) -> bytes | None:
        """What the client gets of an answer; None: there is no response for it. `IntegrationError`."""
        document = relaxed_json.read(outcome.body.decode("utf-8", "replace"))

        def lookup(path: str) -> str | None:
            place, _, rest = path.removeprefix("integration.response.").partition(".")
            if path.startswith("integration.response."):
                if place == "statuscode":
                    return str(outcome.status)
                if place == "header":
                    return next((value for name, value in outcome.headers if name == rest.lower()), None)
                return selection.below(document, rest) if place == "body" else None
            return self.lookup(path)

        if not integration.replies:
            return outcome.body
        key = selection.selected(integration.reply_selection, lookup)
        found = selection.matching(integration.replies, key)
        if found is None:
            return None
        return self._replied(integration.replies[found], outcome, lookup)

    def _replied(self, reply: Reply, outcome: Outcome, lookup: selection.Lookup) -> bytes:
        key = selection.selected(reply.template_selection, lookup)
        template = reply.templates.get(key) if key is not None else None
        if template is None:
            template = reply.templates.get(selection.DEFAULT) or reply.templates.get(_USUAL)
        body = base64.b64encode(outcome.body) if reply.content == TO_TEXT else outcome.body
        if template is not None:
            body = self._rendered(template, body.decode("utf-8", "replace")).encode()
        return _binary(body) if reply.content == TO_BINARY else body

    def lookup(self, path: str) -> str | None:
        """What `request.body.action`, `request.header.x`, `context.x` or `stageVariables.x` stands for."""
        root, _, rest = path.partition(".")
        if root in ("request", "route"):
            if root == "route":
                rest = rest.removeprefix("request.")
            place, _, name = rest.partition(".")
            if place == "body":
                return selection.below(self._exchange.document, name) if name else self._exchange.text
            return self._of_connection(place, name)
        if root == "context":
            return selection.below(_plain(self._context), rest)
        return self._stage.variables.get(rest) if root == "stageVariables" else None

    def _of_connection(self, place: str, name: str) -> str | None:
        facts = self._exchange.facts
        if place == "querystring":
            values = facts.query.get(name)
        else:
            values = next((found for key, found in facts.headers.items() if key.lower() == name.lower()), None)
        return values[-1] if values else None

    def lookup_source(self, source: str) -> str | None:
        """The source of a parameter: a text in single quotes, or what `lookup` finds."""
        if len(source) >= 2 and source[0] == source[-1] == "'":
            return source[1:-1]
        return self.lookup(source)


def _binary(text: bytes) -> bytes:
    """What a text in base64 stands for; `IntegrationError`."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise IntegrationError("configuration", f"{TO_BINARY}: what there is is no base64: {error}") from error


def _plain(context: Any) -> Any:
    return {name: _plain(value) if isinstance(value, dict) else value for name, value in context.items()}
