"""What the command line does without the server: read the root key, and parse a template before it is sent."""

from mayfly.services.identity.root_key import read_root_key
from mayfly.services.stacks.template.source import load as parse_template

__all__ = ["parse_template", "read_root_key"]
