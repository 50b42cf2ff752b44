"""The making of a sandbox and of the environment of its code, at the same time and within a bound.

`instance` calls this first of all; what it gets, it owns.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from mayfly.engine.api import Target
from mayfly.engine.ends import give_back
from mayfly.engine.templates import Started, Templates
from mayfly.sandbox.api import SandboxStartError

# How long both may take together; a few milliseconds are usual.
START_TIMEOUT_S = 60.0


async def provision(
    templates: Templates,
    target: Target,
    instance: str,
    greet: Callable[[dict[str, str]], bytes] | None = None,
    *,
    awaited: bool,
    call: Callable[[], bytes] = bytes,
) -> tuple[Started, dict[str, str]]:
    """A running sandbox for `target` and the variables for `instance`; when one fails, nothing is left of the other.

    `greet` makes of the variables what a runtime hears first. It is said while the sandbox is made, where that can be
    (`Started.greeted`): the runtime is then at work when word of its sandbox comes here, and waits for nobody.
    `awaited`: a call waits for it. `call` gives its frame, if a spare may hear it along with that (`Started.called`);
    nobody else does, of whom it may turn out that they never were. Raises what either raises; `SandboxStartError` when
    they take too long.
    """
    if awaited and (spare := templates.spare(target)) is not None:
        told = await _told(spare, target, instance, greet, call)
        if told is not None:
            return told
    gathering = asyncio.create_task(_environment(target, instance))
    made: Started | None = None
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            # The request for the sandbox leaves first: whoever makes it then works while the variables are gathered.
            made = await templates.start(target, _words(gathering, greet))
            return made, await gathering
    except BaseException as error:
        gathering.cancel()
        await asyncio.gather(gathering, return_exceptions=True)
        if made is not None:
            await give_back(made.sandbox)
        if isinstance(error, TimeoutError):
            raise SandboxStartError(f"no instance could be started within {START_TIMEOUT_S:g} s") from error
        raise


def _words(
    environment: asyncio.Task[dict[str, str]], greet: Callable[[dict[str, str]], bytes] | None
) -> Callable[[], Awaitable[bytes]] | None:
    if greet is None:
        return None

    async def words() -> bytes:
        return greet(await asyncio.shield(environment))

    return words


async def _told(
    spare: Started,
    target: Target,
    instance: str,
    greet: Callable[[dict[str, str]], bytes] | None,
    call: Callable[[], bytes],
) -> tuple[Started, dict[str, str]] | None:
    """The same where the sandbox is there already: no task is made for what usually waits for nothing. The runtime is
    told before anybody reads what comes back, so that it is at work while all is made ready for that.

    None: it had died before it heard anything, and nothing is left of it.
    """
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            environment = await _environment(target, instance)
            if greet is None:
                return spare, environment
            frame = call()
            words = greet(environment) + frame
            heard = await _say(spare.sandbox.control, words)
    except BaseException as error:
        await give_back(spare.sandbox)
        if isinstance(error, TimeoutError):
            raise SandboxStartError(f"no instance could be started within {START_TIMEOUT_S:g} s") from error
        raise
    if not heard:
        await give_back(spare.sandbox)
        return None
    return spare._replace(greeted=True, called=bool(frame)), environment


async def _say(control: socket.socket, words: bytes) -> bool:
    """Whether anybody heard at least the beginning; who then dies of it, does so as an instance."""
    try:
        said = control.send(words)
    except ConnectionError:
        return False
    if said < len(words):
        with contextlib.suppress(ConnectionError):  # word of its end is on its way
            await asyncio.get_running_loop().sock_sendall(control, words[said:])
    return True


async def _environment(target: Target, instance: str) -> dict[str, str]:
    return dict(await target.environment(instance))
