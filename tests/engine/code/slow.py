"""A module whose first load never ends; the second one is quick. Told apart by a file."""

import os
import time
from typing import Any

print("loading", flush=True)
if not os.path.exists(os.environ["MARK"]):
    with open(os.environ["MARK"], "w"):
        pass
    time.sleep(3600)


def handler(event: dict[str, Any], connection: Any) -> Any:
    return event["meta"]
