"""What the command line does without the server: read the root key, parse a template before it is sent, name the
tag by which a stack accepts inert resources."""

from mayfly.services.identity.root_key import read_root_key
from mayfly.services.stacks.inert import TAG as INERT_TAG
from mayfly.services.stacks.template.source import load as parse_template

__all__ = ["INERT_TAG", "parse_template", "read_root_key"]
