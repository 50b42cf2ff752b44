"""URIs of integrations with services: `arn:aws:apigateway:{region}:{subdomain.service}:{path|action}/{it}`. Pure."""

import re

from msgspec import Struct

_URI = re.compile(r"arn:[^:]+:apigateway:([^:]*):(?:([^:.]+)\.)?([^:.]+):(path|action)/(.*)", re.DOTALL)
_FUNCTION = re.compile(r"/?(?:2015-03-31|2021-11-15)/functions/(.+)/(?:response-streaming-)?invocations")


class ServiceUri(Struct, frozen=True):
    """One of them, read."""

    region: str
    service: str  # "sqs"
    subdomain: str | None  # "bucket" of `bucket.s3`
    path: str | None  # begins with a slash
    query: str  # what follows the question mark of a path
    action: str | None

    @property
    def function_arn(self) -> str | None:
        """The function that it calls; None: another service, or another operation of Lambda."""
        match = _FUNCTION.fullmatch(self.path) if self.service == "lambda" and self.path is not None else None
        return match[1] if match is not None else None


def read(uri: str) -> ServiceUri | None:
    """The parts of a URI; None: it is none."""
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    region, subdomain, service, kind, rest = match.groups()
    if kind == "action":
        action, _, query = rest.partition("&")
        return ServiceUri(region, service, subdomain, None, query, action) if action else None
    path, _, query = rest.partition("?")
    return ServiceUri(region, service, subdomain, f"/{path.lstrip('/')}", query, None)
