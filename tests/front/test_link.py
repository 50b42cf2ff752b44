"""The link: messages in order, whatever their size, each with its own descriptors."""

import asyncio
import os
import socket
from typing import Any

from mayfly.front import messages
from mayfly.front.link import Link, Questions
from mayfly.sandbox.api import Exit


class End:
    """One end of a link, and what it heard."""

    def __init__(self, end: socket.socket) -> None:
        self.heard: list[tuple[Any, list[int]]] = []
        self.lost = asyncio.Event()
        self._changed = asyncio.Event()
        self.link: Link[Any] = Link(end, messages.FromCore, self._hear, self.lost.set)

    def _hear(self, message: Any, descriptors: list[int]) -> None:
        self.heard.append((message, descriptors))
        self._changed.set()

    async def hears(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.heard) < count:
                self._changed.clear()
                await self._changed.wait()


def ends() -> tuple[End, End]:
    one, other = socket.socketpair()
    return End(one), End(other)


async def test_messages_arrive_in_order_whatever_their_size() -> None:
    one, other = ends()
    sent = [messages.Moved(bytes([number]) * size) for number, size in enumerate((0, 3_000_000, 1, 500_000))]

    for message in sent:
        one.link.send(message)
    await other.hears(len(sent))

    assert [message for message, _ in other.heard] == sent
    one.link.close()
    other.link.close()


async def test_descriptors_belong_to_the_message_that_they_were_sent_with() -> None:
    one, other = ends()
    pipes = [os.pipe() for _ in range(3)]

    for number, (reading, _) in enumerate(pipes):
        one.link.send(messages.Moved(b"x" * 400_000))
        one.link.send(messages.Leased(number, str(number)), (reading,))
    await other.hears(6)

    for message, descriptors in other.heard:
        if isinstance(message, messages.Leased):
            os.write(pipes[message.number][1], b"%d" % message.number)
            assert os.read(descriptors[0], 10) == b"%d" % message.number
            os.close(descriptors[0])
        else:
            assert descriptors == []
    for pair in pipes:
        for descriptor in pair:
            os.close(descriptor)
    one.link.close()
    other.link.close()


async def test_the_end_of_one_side_is_told_to_the_other() -> None:
    one, other = ends()
    one.link.send(messages.Died("i", Exit("exited", 1, 5)))
    await other.hears(1)

    one.link.close()

    await asyncio.wait_for(other.lost.wait(), 10)
    assert other.link.lost
    other.link.send(messages.Drain())  # nobody hears it


async def test_every_question_gets_its_own_answer() -> None:
    questions = Questions()
    first, waiting = questions.new()
    second, other = questions.new()

    assert questions.answer(second, "two")
    assert questions.answer(first, "one")
    assert not questions.answer(first, "again")

    assert (await waiting, await other) == ("one", "two")


async def test_what_is_no_message_ends_the_link() -> None:
    one, other = socket.socketpair()
    end = End(other)

    one.sendall(b"\x03\x00\x00\x00\x00" + b"\xc1\xc1\xc1")

    await asyncio.wait_for(end.lost.wait(), 10)
    assert end.heard == []
    one.close()
