"""Requests of the platform to the outside: what is sent, what comes back, and what is refused."""

import base64
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mayfly.outgoing.api import Identity, OutgoingError, Request
from mayfly.outgoing.client import Outgoing
from mayfly.policy.egress import Address
from mayfly.policy.outgoing import parse
from tests.egress.outside import Names
from tests.outgoing.receiver import OK, receiver

LOOPBACK = parse(["127.0.0.0/8"])


def nobody(_: Address) -> bool:
    return False


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
async def outgoing(names: Names) -> AsyncIterator[Outgoing]:
    made = Outgoing(LOOPBACK, names, nobody)
    yield made
    await made.close()


async def test_a_request_arrives_as_it_was_made_and_its_answer_comes_back(outgoing: Outgoing) -> None:
    async with receiver(
        lambda _: b"HTTP/1.1 201 Created\r\nX-One: a\r\nX-One: b\r\nContent-Length: 4\r\n\r\nmade"
    ) as at:
        url = f"http://127.0.0.1:{at.port}/a%2Fb?c=d%20e"
        answer = await outgoing.send(Request("POST", url, (("X-Mine", "1"), ("Content-Type", "text/plain")), b"hello"))
        assert (answer.status, answer.body, answer.complete) == (201, b"made", True)
        assert [value for name, value in answer.headers if name == "x-one"] == ["a", "b"]
        [one] = at.received
        assert one.line == "POST /a%2Fb?c=d%20e HTTP/1.1"
        assert one.body == b"hello"
        assert one.headers["x-mine"] == "1"
        assert set(one.headers) == {"host", "x-mine", "content-type", "content-length"}


async def test_connections_are_kept_for_the_next_request(outgoing: Outgoing) -> None:
    async with receiver() as at:
        for _ in range(5):
            await outgoing.send(Request("POST", f"http://127.0.0.1:{at.port}/", body=b"x"))
        assert at.connections == 1


async def test_user_and_password_of_a_url_become_basic_authentication(outgoing: Outgoing) -> None:
    async with receiver() as at:
        await outgoing.send(Request("POST", f"http://me:se%3Acret@127.0.0.1:{at.port}/", body=b"x"))
        assert at.received[0].headers["authorization"] == "Basic " + base64.b64encode(b"me:se:cret").decode()
        assert "@" not in at.received[0].headers["host"]


async def test_a_redirect_is_not_followed(outgoing: Outgoing) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    async with receiver(lambda _: answer) as at:
        got = await outgoing.send(Request("GET", f"http://127.0.0.1:{at.port}/"))
        assert (got.status, got.header("location")) == (302, "http://169.254.169.254/")
        assert len(at.received) == 1


async def test_an_answer_is_read_up_to_a_bound_and_says_that_it_was_cut(outgoing: Outgoing) -> None:
    async with receiver(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 5000) as at:
        got = await outgoing.send(Request("GET", f"http://127.0.0.1:{at.port}/", most_body=100))
        assert (got.status, got.body, got.complete) == (200, b"x" * 100, False)


async def test_a_compressed_answer_stays_as_small_as_it_came(outgoing: Outgoing) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
    async with receiver(lambda _: answer) as at:
        got = await outgoing.send(Request("GET", f"http://127.0.0.1:{at.port}/"))
        assert got.body == b"\x1f\x8b\x08\x00"


async def test_who_does_not_answer_is_not_waited_for_longer_than_asked(outgoing: Outgoing) -> None:
    async with receiver(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nslow") as at:
        with pytest.raises(OutgoingError) as caught:
            await outgoing.send(Request("GET", f"http://127.0.0.1:{at.port}/", timeout_s=0.1))
        assert caught.value.kind == "timeout"


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"]
)
async def test_a_connection_that_ends_early_or_speaks_no_http_is_an_error(outgoing: Outgoing, answer: bytes) -> None:
    async with receiver(lambda _: answer, last=True) as at:
        with pytest.raises(OutgoingError) as caught:
            await outgoing.send(Request("POST", f"http://127.0.0.1:{at.port}/"))
        assert caught.value.kind == "broken"


async def test_nobody_there_is_unreachable(outgoing: Outgoing) -> None:
    async with receiver() as at:
        port = at.port
    with pytest.raises(OutgoingError) as caught:
        await outgoing.send(Request("GET", f"http://127.0.0.1:{port}/"))
    assert caught.value.kind == "unreachable"


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "http:///x", "example.com", "", "http://example.com:99999/", "http://[::1/"]
)
async def test_what_is_no_url_of_http_is_invalid(outgoing: Outgoing, url: str) -> None:
    with pytest.raises(OutgoingError) as caught:
        await outgoing.send(Request("GET", url))
    assert caught.value.kind == "invalid"


async def test_a_header_with_a_line_break_is_invalid_and_nothing_is_sent(outgoing: Outgoing) -> None:
    async with receiver() as at:
        with pytest.raises(OutgoingError) as caught:
            await outgoing.send(Request("GET", f"http://127.0.0.1:{at.port}/", (("X-A", "1\r\nX-B: 2"),)))
        assert caught.value.kind == "invalid"
        assert at.received == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "127.1", "2130706433", "0.0.0.0", "169.254.169.254", "[::ffff:127.0.0.1]", "[fe80::1]"],
)
async def test_this_machine_and_its_links_are_refused_however_they_are_written(names: Names, host: str) -> None:
    outgoing = Outgoing(parse([]), names, nobody)
    async with receiver() as at:
        with pytest.raises(OutgoingError) as caught:
            await outgoing.send(Request("GET", f"http://{host}:{at.port}/"))
        assert caught.value.kind in ("refused", "invalid", "name")
        assert at.connections == 0
    await outgoing.close()


async def test_an_address_that_is_the_machines_own_is_refused(names: Names) -> None:
    outgoing = Outgoing(parse([]), names, lambda found: str(found) == "192.0.2.7")
    with pytest.raises(OutgoingError) as caught:
        await outgoing.send(Request("GET", "http://192.0.2.7/"))
    assert caught.value.kind == "refused"
    assert "192.0.2.7" in caught.value.message
    await outgoing.close()


async def test_a_name_that_leads_to_this_machine_is_refused(names: Names) -> None:
    names.lead["inner.example"] = ["127.0.0.1", "::1"]
    outgoing = Outgoing(parse([]), names, nobody)
    with pytest.raises(OutgoingError) as caught:
        await outgoing.send(Request("GET", "http://inner.example/"))
    assert caught.value.kind == "refused"
    await outgoing.close()


async def test_a_name_that_turns_between_requests_is_looked_at_again(names: Names) -> None:
    outgoing = Outgoing(parse(["127.0.0.1"]), names, nobody)
    names.lead["turns.example"] = ["127.0.0.1"]
    close = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with receiver(lambda _: close) as at:
        assert (await outgoing.send(Request("GET", f"http://turns.example:{at.port}/"))).status == 200
        assert at.received[0].headers["host"] == f"turns.example:{at.port}"
        names.lead["turns.example"] = ["127.0.0.2"]
        with pytest.raises(OutgoingError) as caught:
            await outgoing.send(Request("GET", f"http://turns.example:{at.port}/"))
        assert caught.value.kind == "refused"
    await outgoing.close()


async def test_of_several_addresses_those_that_are_allowed_are_used(names: Names, outgoing: Outgoing) -> None:
    names.lead["both.example"] = ["169.254.169.254", "127.0.0.1"]
    async with receiver() as at:
        assert (await outgoing.send(Request("GET", f"http://both.example:{at.port}/"))).status == 200


async def test_a_name_without_address_is_told_apart(outgoing: Outgoing) -> None:
    with pytest.raises(OutgoingError) as caught:
        await outgoing.send(Request("GET", "http://nowhere.example/"))
    assert caught.value.kind == "name"


async def test_a_closed_client_sends_nothing(names: Names) -> None:
    outgoing = Outgoing(LOOPBACK, names, nobody)
    await outgoing.close()
    with pytest.raises(OutgoingError):
        await outgoing.send(Request("GET", "http://127.0.0.1/"))


def certificate(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made, key


def pem_of(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


async def test_tls_is_spoken_with_whom_the_authorities_vouch_for_and_nobody_else(names: Names, tmp_path: Path) -> None:
    made, key = certificate("safe.example")
    pem = pem_of(made)
    (tmp_path / "both.pem").write_bytes(pem + pem_of_key(key))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "both.pem")
    names.lead = {"safe.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    trusting = Outgoing(LOOPBACK, names, nobody, lambda: ssl.create_default_context(cadata=pem.decode()))
    usual = Outgoing(LOOPBACK, names, nobody)
    async with receiver(tls=serving) as at:
        assert (await trusting.send(Request("POST", f"https://safe.example:{at.port}/", body=b"x"))).status == 200
        for client, host in ((trusting, "other.example"), (usual, "safe.example")):
            with pytest.raises(OutgoingError) as caught:
                await client.send(Request("POST", f"https://{host}:{at.port}/", body=b"secret"))
            assert caught.value.kind == "tls"
        assert [one.body for one in at.received] == [b"x"]
    await trusting.close()
    await usual.close()


async def test_an_identity_is_shown_to_who_asks_for_one_and_has_connections_of_its_own(
    names: Names, tmp_path: Path
) -> None:
    (made, key), (mine, my_key), (other, other_key) = map(certificate, ("safe.example", "mine", "other"))
    (tmp_path / "both.pem").write_bytes(pem_of(made) + pem_of_key(key))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "both.pem")
    serving.load_verify_locations(cadata=pem_of(mine).decode())
    serving.verify_mode = ssl.CERT_REQUIRED
    names.lead = {"safe.example": ["127.0.0.1"]}
    outgoing = Outgoing(LOOPBACK, names, nobody, lambda: ssl.create_default_context(cadata=pem_of(made).decode()))
    known, strange = (
        Identity(pem_of(mine).decode(), pem_of_key(my_key)),
        Identity(pem_of(other).decode(), pem_of_key(other_key)),
    )
    async with receiver(tls=serving) as at:
        url = f"https://safe.example:{at.port}/"
        for _ in range(2):
            assert (await outgoing.send(Request("GET", url, identity=known))).status == 200
        assert at.connections == 1
        for identity in (None, strange):
            with pytest.raises(OutgoingError):
                await outgoing.send(Request("GET", url, identity=identity))
        broken = Identity(known.certificate, strange.key)
        with pytest.raises(OutgoingError, match="the client certificate cannot be used"):
            await outgoing.send(Request("GET", url, identity=broken))
        assert len(at.received) == 2
    assert "PRIVATE" not in repr(known)
    await outgoing.close()
