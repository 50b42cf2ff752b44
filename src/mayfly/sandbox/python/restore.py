"""What differs between instances beyond random numbers and open files, and is in memory that they were forked with."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from typing import Any

_KEY_BYTES = 32
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def renew_identity() -> None:
    """What the standard library draws once a process: the key by which multiprocessing's processes know each other, and
    the node in the unique ids that are made of time and place."""
    processes: Any = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.current_process().authkey = os.urandom(_KEY_BYTES)
    ids: Any = sys.modules.get("uuid")
    if ids is not None and ids._node is not None:  # noqa: SLF001 (there is no public way to it)
        ids._node = ids._last_timestamp = None  # noqa: SLF001


class Credentials:
    """The credentials that clients made in init were given: those of the template, which expire, and are no instance's.

    On AWS, the SDK asks for new ones after a restore; here they are put into the objects that have the old ones.
    """

    def __init__(self) -> None:
        self._held: list[Any] = []

    def find(self, environment: Mapping[str, str]) -> None:
        """In the template, with its own variables."""
        kind = getattr(sys.modules.get("botocore.credentials"), "Credentials", None)
        key = environment.get(_CREDENTIALS[0])
        if kind is not None and key is not None:
            held = (one for one in gc.get_objects() if type(one) is kind)
            self._held = [one for one in held if one.access_key == key]

    def renew(self, environment: Mapping[str, str]) -> None:
        """In an instance, with its variables."""
        for one in self._held:
            one.access_key, one.secret_key, one.token = (environment.get(name) for name in _CREDENTIALS)
