"""A server that says what it has in memory, then does what a test wants, and stops: `python -m tests.app.inside_server
DATA [visit]`. It prints one line of JSON. With `visit`, every service is asked for, too."""

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from mayfly.app.directory import ServerInfo
from mayfly.app.options import ServerOptions
from mayfly.app.server import serve
from mayfly.app.services import Services
from mayfly.wire.operations import Catalogue


def only(kind: type) -> Any:
    """The one object of its type."""
    (found,) = (each for each in gc.get_objects() if type(each) is kind)
    return found


async def look(visit: bool) -> None:
    warming = [task for task in asyncio.all_tasks() if task.get_name() == "warm-gateway"]
    await asyncio.gather(*warming)
    services: Any = only(Services)
    said: dict[str, Any] = {
        "modules": sorted(name for name in sys.modules if name.partition(".")[0] not in ("tests", "__main__")),
        "wires": sorted(only(Catalogue)._services),
        "made": sorted(entry.late.name for entry in services._entries if entry.late.made is not None),
    }
    if visit:
        found = {name: await each.ready() for name, each in services.on_the_wire().items()}
        said["visited"] = {name: [service.name, len(service.operations)] for name, service in found.items()}
    print(json.dumps(said), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def ready(info: ServerInfo) -> None:
    gc.unfreeze()  # what is frozen is not among the objects that can be found
    looking = asyncio.get_running_loop().create_task(look("visit" in sys.argv))
    looking.add_done_callback(lambda done: done.exception() and os._exit(1))


if __name__ == "__main__":
    options = ServerOptions(Path(sys.argv[1]), port=0, isolation="process")
    serve(options, ready, lambda under_way: None)
