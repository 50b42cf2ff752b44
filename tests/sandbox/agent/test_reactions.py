"""The agent's loop: who reacts to what."""

import selectors
import socket

from mayfly.sandbox.agent.serving import react_once


def test_who_stopped_watching_in_the_same_turn_does_not_react_and_neither_does_who_got_the_descriptor() -> None:
    reacted: list[str] = []
    with selectors.DefaultSelector() as selector:
        pairs = [socket.socketpair() for _ in range(2)]
        watched = [mine for mine, _ in pairs]

        def react(name: str, other: socket.socket) -> None:
            reacted.append(name)
            descriptor = other.fileno()
            selector.unregister(other)
            other.close()
            with socket.socket() as newcomer:
                assert newcomer.fileno() == descriptor
                selector.register(newcomer.detach(), selectors.EVENT_READ, lambda: reacted.append("newcomer"))

        for number, (mine, theirs) in enumerate(pairs):
            other = watched[1 - number]
            selector.register(mine, selectors.EVENT_READ, lambda n=number, o=other: react(f"{n}", o))
            theirs.send(b"x")
        react_once(selector, 5)
        assert len(reacted) == 1
        for key in list(selector.get_map().values()):
            selector.unregister(key.fd)
            if isinstance(key.fileobj, int):
                socket.close(key.fileobj)
        for mine, theirs in pairs:
            mine.close()
            theirs.close()
