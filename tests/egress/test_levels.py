"""The same ways out at every level that has a network of its own."""

import pytest

from mayfly.clock import SystemClock
from mayfly.egress.book import Book
from mayfly.egress.outlets import Outlets
from mayfly.policy import egress
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxUnavailableError
from mayfly.sandbox.oci.runtimes import CONTAINER, GVISOR
from mayfly.sandbox.process import ProcessFactory
from tests.egress.outside import Names, outside
from tests.sandbox.conftest import oci
from tests.sandbox.talk import Talks

CODE = """
def speak(*at):
    with socket.create_connection(at, 20) as one:
        one.sendall(b"hello")
        return one.recv(100).decode()
result = [speak(host, event["port"]) for host in ("127.0.0.1", "db.example.com")]
try:
    speak("127.0.0.2", event["port"])
except OSError as error:
    result.append(type(error).__name__)
"""


@pytest.mark.root
@pytest.mark.parametrize("level", [CONTAINER, GVISOR])
async def test_containers_reach_what_is_on_their_lists(level: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    names = Names()
    names.lead["db.example.com"] = ["127.0.0.1"]
    async with outside() as out, oci(level, tmp_path_factory.mktemp(level)) as factory:
        talks, outlets = Talks(factory), Outlets(Book(SystemClock()), names)
        try:
            talk = await talks.start()
            allowed = egress.parse(f"127.0.0.1:{out.port} db.example.com:{out.port}")
            await outlets.attach(talk.sandbox, allowed, "me")
            await talk.init()
            assert await talk.run(CODE, port=out.port) == ["HELLO", "HELLO", "ConnectionRefusedError"]
        finally:
            await talks.close()
            await outlets.close()


async def test_a_process_of_the_machines_network_has_no_way_out_that_could_be_kept() -> None:
    factory, outlets = ProcessFactory(), Outlets(Book(SystemClock()), Names())
    talks = Talks(factory)
    await factory.prepare("python3.x", interpreters.current())
    try:
        talk = await talks.start()
        with pytest.raises(SandboxUnavailableError, match="network of the machine"):
            await outlets.attach(talk.sandbox, egress.parse("host"), "me")
    finally:
        await talks.close()
        await outlets.close()
        await factory.close()
