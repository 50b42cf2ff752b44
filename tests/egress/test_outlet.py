"""Real sandboxes that may reach something: what they get, and everything they try beside it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mayfly.clock import SystemClock
from mayfly.egress import outlet
from mayfly.egress.book import Book
from mayfly.egress.destinations import Destinations
from mayfly.egress.outlets import Outlets
from mayfly.policy import egress
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.namespace import AgentFactory
from tests.egress.outside import Names, Outside, outside
from tests.sandbox.talk import CODE, RUNTIME, Talk

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

SPEAK = """
def speak(host, port, text="hello", timeout=20):
    with socket.create_connection((host, port), timeout) as one:
        one.sendall(text.encode())
        one.shutdown(socket.SHUT_WR)
        heard = b""
        while data := one.recv(65536):
            heard += data
        return heard.decode(errors="replace")
def attempt(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return type(error).__name__
def head(text, read=65536):
    with socket.create_connection(("127.0.0.1", 3128), 20) as one:
        one.sendall(text.encode("latin-1"))
        return one.recv(read).decode()
"""


class Lab:
    """One sandbox at a time, and the names of its world."""

    def __init__(self, factory: AgentFactory) -> None:
        self.factory = factory
        self.names = Names()
        self.book = Book(SystemClock())
        self.outlets = Outlets(self.book, self.names)
        self.talks: list[Talk] = []

    async def sandbox(self, rules: str, template: str | None = None) -> "Inside":
        sandbox = await self.factory.start(SandboxSpec(RUNTIME, CODE, owner="me", template=template))
        talk = Talk(sandbox, "/var/task")
        self.talks.append(talk)
        await self.outlets.attach(sandbox, egress.parse(rules), "me")
        await talk.init()
        return Inside(talk)

    def refused(self) -> dict[str, str]:
        return {one.destination: one.reason for one in self.book.of("me").refused.values()}


class Inside:
    def __init__(self, talk: Talk) -> None:
        self.talk = talk

    async def result(self, code: str) -> Any:
        return await self.talk.run(SPEAK + code)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def factory(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AgentFactory]:
    made = AgentFactory.launch(tmp_path_factory.mktemp("agent"))
    await made.attach()
    await made.prepare(RUNTIME, interpreters.current())
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def lab(factory: AgentFactory) -> AsyncIterator[Lab]:
    made = Lab(factory)
    yield made
    for talk in made.talks:
        await talk.close()
    await made.outlets.close()


@pytest_asyncio.fixture(loop_scope="module")
async def out() -> AsyncIterator[Outside]:
    async with outside() as made:
        yield made


async def test_an_address_on_the_list_is_reached_as_if_there_were_a_network(lab: Lab, out: Outside) -> None:
    inside = await lab.sandbox(f"127.0.0.1:{out.port}")
    assert await inside.result(f"result = speak('127.0.0.1', {out.port})") == "HELLO"
    traffic = lab.book.of("me")
    assert (traffic.connections, traffic.sent_bytes, traffic.received_bytes) == (1, 5, 5)


async def test_a_name_on_the_list_is_reached_at_its_port(lab: Lab, out: Outside) -> None:
    lab.names.lead["db.example.com"] = ["127.0.0.1"]
    inside = await lab.sandbox(f"db.example.com:{out.port} 127.0.0.1:{out.port}")
    assert await inside.result(f"result = speak('DB.example.com', {out.port})") == "HELLO"
    assert lab.names.asked == ["db.example.com"]
    assert await inside.result("result = socket.gethostbyname('db.example.com')") == "127.64.0.1"


async def test_names_below_one_on_the_list_are_reached(lab: Lab, out: Outside) -> None:
    lab.names.lead["a.b.example.com"] = ["127.0.0.1"]
    inside = await lab.sandbox(f"*.example.com:{out.port} 127.0.0.1:{out.port}")
    assert await inside.result(f"result = speak('a.b.example.com', {out.port})") == "HELLO"
    assert await inside.result("result = attempt(socket.gethostbyname, 'example.com')") == "gaierror"
    assert lab.refused() == {"example.com": "its name is not on the function's list"}


async def test_an_address_elsewhere_is_one_of_the_sandboxs_own(lab: Lab) -> None:
    """So that nothing but its ports on the list can be reached, and nothing of it needs a route."""
    inside = await lab.sandbox("192.0.2.7:6379 192.0.2.8:1")
    own = "with socket.socket() as one: result = attempt(one.bind, ('192.0.2.7', 0))"
    assert await inside.result(own) is None
    assert await inside.result("result = attempt(speak, '192.0.2.7', 6380)") == "ConnectionRefusedError"
    assert await inside.result("result = attempt(speak, '192.0.2.9', 6379)") == "OSError"


async def test_a_name_that_leads_to_this_machine_is_refused_whatever_it_led_to_before(lab: Lab, out: Outside) -> None:
    inside = await lab.sandbox(f"db.example.com:{out.port}")
    own = f"result = attempt(speak, 'db.example.com', {out.port})"
    for lead in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "169.254.169.254", "fd00:ec2::254", "224.0.0.1"):
        lab.names.lead["db.example.com"] = [lead]
        assert await inside.result(own) in {"ConnectionResetError", "BrokenPipeError"}, lead
    assert out.heard == []
    assert f"db.example.com:{out.port}" in lab.refused()


async def test_addresses_of_the_servers_interfaces_are_its_own(out: Outside) -> None:
    names = Names()
    names.lead["db.example.com"] = ["198.51.100.1"]
    destinations = Destinations(names, own=lambda found: str(found) == "198.51.100.1")
    with pytest.raises(Exception, match="the server's own machine"):
        await destinations.connect(egress.parse("db.example.com:443"), "db.example.com", 443)


@pytest.mark.parametrize(
    "target",
    [
        "169.254.169.254:80",
        "127.0.0.1:4566",
        "[::1]:4566",
        "[::ffff:169.254.169.254]:80",
        "localhost:4566",
        "2130706433:80",
        "0x7f.1:80",
        "127.1:80",
        "0:80",
        "other.example.com:443",
        "db.example.com:444",
        "db.example.com.:444",
        "example.com:443",
        "db.example.com%00.other.com:443",
    ],
)
async def test_the_proxy_makes_no_tunnel_to_what_is_not_on_the_list(lab: Lab, target: str) -> None:
    inside = await lab.sandbox("db.example.com:443 *.example.org:443")
    assert (await inside.result(f"result = head('CONNECT {target} HTTP/1.1\\r\\n\\r\\n')")).startswith("HTTP/1.1 403 ")
    assert lab.names.asked == []


async def test_host_reaches_names_and_ports_but_neither_this_machine_nor_metadata(lab: Lab, out: Outside) -> None:
    lab.names.lead["any.example.com"] = ["127.0.0.1"]
    inside = await lab.sandbox("host")
    for target in ("127.0.0.1:4566", "169.254.169.254:80", "[fd00:ec2::254]:80", f"any.example.com:{out.port}"):
        said = await inside.result(f"result = head('CONNECT {target} HTTP/1.1\\r\\n\\r\\n')")
        assert said.startswith("HTTP/1.1 403 "), target
    assert out.heard == []


async def test_tunnels_carry_bytes_to_any_port_that_is_allowed(lab: Lab, out: Outside) -> None:
    lab.names.lead["any.example.com"] = ["127.0.0.1"]
    inside = await lab.sandbox(f"host 127.0.0.1:{out.port}")
    code = f"""
with socket.create_connection(("127.0.0.1", 3128), 20) as one:
    one.sendall(b"CONNECT any.example.com:{out.port} HTTP/1.1\\r\\nHost: other\\r\\n\\r\\nearly ")
    said = b""
    while b"EARLY" not in said:
        said += one.recv(65536)
    one.sendall(b"late")
    result = (said + one.recv(100)).decode()
"""
    said = await inside.result(code)
    assert said.startswith("HTTP/1.1 200 ")
    assert said.endswith("EARLY LATE")


async def test_requests_are_passed_on_to_whom_they_name_and_once(lab: Lab, out: Outside) -> None:
    lab.names.lead["web.example.com"] = ["127.0.0.1"]
    inside = await lab.sandbox(f"web.example.com:{out.port} 127.0.0.1:{out.port}")
    request = f"GET http://web.example.com:{out.port}/a?b=c HTTP/1.1\\r\\nHost: other.example.com\\r\\nX: y\\r\\n"
    await inside.result(
        f"result = head('{request}Proxy-Authorization: secret\\r\\nConnection: X2\\r\\nX2: z\\r\\n\\r\\n')"
    )
    assert b"".join(out.heard) == (
        f"GET /a?b=c HTTP/1.1\r\nHost: web.example.com:{out.port}\r\nX: y\r\nConnection: close\r\n\r\n".encode()
    )


async def test_a_head_without_end_is_closed_and_garbage_is_told_so(lab: Lab) -> None:
    inside = await lab.sandbox("db.example.com:443")
    assert (await inside.result("result = head('x' * 70000)"))[:12] in {"HTTP/1.1 431", ""}
    for text in ("NONSENSE\\r\\n\\r\\n", "GET / HTTP/1.1\\r\\n\\r\\n", "CONNECT a HTTP/1.1\\r\\n\\r\\n"):
        assert (await inside.result(f"result = head('{text}')")).startswith("HTTP/1.1 400 "), text


async def test_what_is_asked_of_the_resolver_that_is_no_question_disturbs_nobody(lab: Lab, out: Outside) -> None:
    inside = await lab.sandbox(f"127.0.0.1:{out.port}")
    code = f"""
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.connect(("127.0.0.1", 53))
    for junk in (b"", b"x", os.urandom(60000), b"\\xff" * 512, bytes(12), bytes(11) + b"\\x01" + b"\\xc0\\x0c" * 200):
        one.send(junk)
with socket.create_connection(("127.0.0.1", 53), 20) as one:
    one.sendall(b"\\xff\\xff" + b"z" * 5)
result = speak("127.0.0.1", {out.port})
"""
    assert await inside.result(code) == "HELLO"


async def test_names_are_told_over_tcp_too_and_other_records_are_empty(lab: Lab) -> None:
    inside = await lab.sandbox("db.example.com:443")
    code = """
def ask(kind):
    message = bytes.fromhex("123401000001000000000000") + b"\\x02db\\x07example\\x03com\\x00" + bytes([0, kind, 0, 1])
    with socket.create_connection(("127.0.0.1", 53), 20) as one:
        one.sendall(len(message).to_bytes(2, "big") + message)
        return one.recv(512)[2:].hex()
result = [ask(1)[-8:], ask(28)[:16]]
"""
    assert await inside.result(code) == ["7f400001", "1234858000010000"]


async def test_connections_end_with_the_sandbox(lab: Lab, out: Outside) -> None:
    inside = await lab.sandbox(f"127.0.0.1:{out.port}")
    await inside.result(
        f"os.one = socket.create_connection(('127.0.0.1', {out.port})); os.one.send(b'x'); os.one.recv(1)"
    )
    await inside.talk.sandbox.discard()
    async with asyncio.timeout(20):
        await out.closed.wait()


async def test_a_sandbox_of_which_nothing_is_said_reaches_nothing(
    factory: AgentFactory, lab: Lab, out: Outside
) -> None:
    inside = Inside(Talk(await factory.start(SandboxSpec(RUNTIME, CODE)), "/var/task"))
    lab.talks.append(inside.talk)
    await inside.talk.init()
    for host in ("'127.0.0.1'", "'127.64.0.1'"):
        assert await inside.result(f"result = attempt(speak, {host}, {out.port})") == "ConnectionRefusedError"
    assert await inside.result("result = attempt(socket.gethostbyname, 'db.example.com')") == "gaierror"
    assert await inside.result("result = attempt(speak, '127.0.0.1', 3128)") == "ConnectionRefusedError"


async def test_more_names_than_a_sandbox_may_use_are_not_told(lab: Lab, tmp_path: Path) -> None:
    inside = await lab.sandbox("*:443")
    names = "result = [attempt(socket.gethostbyname, f'{n}.example.com') for n in range(66)]"
    found = await inside.result(names)
    assert found[63] == "127.64.0.64"
    assert found[64:] == ["gaierror", "gaierror"]
    assert await inside.result("result = socket.gethostbyname('0.example.com')") == "127.64.0.1"


async def test_a_fork_of_a_template_reaches_what_it_may(factory: AgentFactory, lab: Lab, out: Outside) -> None:
    spec = SandboxSpec(RUNTIME, CODE, owner="me")
    await factory.prepare_function("key", spec, "lab.run", {}, None)
    inside = await lab.sandbox(f"127.0.0.1:{out.port} db.example.com:443", template="key")
    assert await inside.result(f"result = speak('127.0.0.1', {out.port})") == "HELLO"
    assert await inside.result("result = socket.gethostbyname('db.example.com')") == "127.64.0.1"
    factory.drop_template("key")


async def test_whoever_opens_connections_and_says_nothing_holds_up_himself_and_not_for_long(
    lab: Lab, out: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "HEAD_S", 0.5)
    monkeypatch.setattr(outlet, "MOST_CONNECTIONS", 8)
    most = 0

    def under_way() -> int:
        return sum(task.get_name() == "way out of a sandbox" for task in asyncio.all_tasks())

    inside = await lab.sandbox(f"127.0.0.1:{out.port}")
    code = "held = [socket.create_connection(('127.0.0.1', 3128), 20) for _ in range(20)]"
    code += "\nheld[0].recv(1)"
    code += f"\nresult = speak('127.0.0.1', {out.port})"
    asked = asyncio.create_task(inside.result(code))
    while not asked.done():
        most = max(most, under_way())
        await asyncio.wait([asked], timeout=0.01)
    assert await asked == "HELLO"
    assert most == 8


async def test_a_flood_of_questions_is_answered_as_the_rate_allows(lab: Lab) -> None:
    inside = await lab.sandbox("db.example.com:443")
    code = """
question = bytes.fromhex("0000010000010000000000000178000001" + "0001")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.connect(("127.0.0.1", 53))
    for _ in range(5000):
        one.send(question)
"""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await inside.result(code)
    refused = lab.book.of("me").refused
    assert 1 <= refused["x"].count <= outlet.QUESTIONS_A_SECOND * (loop.time() - began + 2)


async def test_a_head_that_does_not_end_is_given_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "HEAD_S", 0.2)
    inside = await lab.sandbox("db.example.com:443")
    assert (await inside.result("result = head('CONNECT db.example.com')")).startswith("HTTP/1.1 408 ")
