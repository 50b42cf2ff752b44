"""The composition root, and what the command line may know of a platform besides the wire.

`server` runs a platform in a process, `platform` builds it, `directory` is where its state lives. The names below are
what `cli` uses; everything else it learns by asking the server.
"""

from mayfly.app.directory import DataDirectory, DirectoryBusyError, ServerInfo
from mayfly.app.options import ServerOptions
from mayfly.app.server import serve
from mayfly.services.identity.root_key import read_root_key

__all__ = ["DataDirectory", "DirectoryBusyError", "ServerInfo", "ServerOptions", "read_root_key", "serve"]
