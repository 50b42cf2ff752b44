"""Work on a graph: as much at a time as the order allows, up to a limit."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping


async def walk(
    before: Mapping[str, Collection[str]], work: Callable[[str], Awaitable[bool]], limit: int, *, halt: bool
) -> set[str]:
    """Do `work` on every key of `before` once it is done on what it maps to; the keys that failed.

    `work` answers whether it succeeded. What waits for a failure is never begun; with `halt`, nothing else is either,
    and what runs is left to finish. Cancelling cancels what runs.
    """
    waiting = {name: set(names) & set(before) for name, names in before.items()}
    running: dict[asyncio.Task[bool], str] = {}
    failed: set[str] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            if not (failed and halt):
                for name in [name for name, names in waiting.items() if not names]:
                    if len(running) < limit:
                        del waiting[name]
                        running[group.create_task(_run(work, name))] = name
            if not running:
                return failed
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                name = running.pop(task)
                if task.result():
                    for names in waiting.values():
                        names.discard(name)
                else:
                    failed.add(name)


async def _run(work: Callable[[str], Awaitable[bool]], name: str) -> bool:
    return await work(name)
