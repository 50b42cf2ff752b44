"""A module that prints while it is loaded and while it is called."""

from typing import Any

print("loading", flush=True)


def handler(event: dict[str, Any], connection: Any) -> None:
    print("running", flush=True)
