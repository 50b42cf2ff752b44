"""What the peers say of themselves can be relied on: pinned, named, and in containers that cannot write."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import sources
from benchmarks.peers.catalogue import peers
from benchmarks.peers.containers import CRUN, RUNSC, Runtime, configuration
from benchmarks.peers.subject import KINDS, Kind, Peer

PEERS = peers(None)


def test_each_has_a_name_and_a_title_of_its_own() -> None:
    assert len({peer.about.name for peer in PEERS}) == len(PEERS) == len({peer.about.title for peer in PEERS})


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.about.name)
def test_every_package_is_pinned_exactly_or_the_systems_own(peer: Peer) -> None:
    system = {"crun", "runsc", "iproute2"}
    unpinned = {name for name in peer.about.requires if not re.fullmatch(r"[a-z-]+(\[[a-z]+\])?==[0-9.]+", name)}
    assert unpinned <= system


@pytest.mark.parametrize("kind", KINDS)
def test_no_modules_name_hides_a_package(kind: Kind) -> None:
    assert sources.module(kind) not in KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_is_python(kind: Kind) -> None:
    for source in (sources.for_lambda(kind), sources.for_flask(kind), sources.for_uvicorn(kind)):
        compile(source, sources.module(kind), "exec")


def test_hello_answers_what_is_expected_and_refuses_a_second_call_once_it_is_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scope: dict[str, Any] = {}
    exec(sources.for_lambda("hello"), scope)
    assert scope["handler"]({}, None) == sources.lambda_reply("hello")
    scope["ending"].set()
    with pytest.raises(RuntimeError, match="gone"):
        scope["handler"]({"end": True}, None)


@pytest.mark.parametrize("runtime", [CRUN, RUNSC], ids=lambda runtime: runtime.program)
def test_a_container_has_no_privileges_and_nothing_of_the_host_to_write_to(runtime: Runtime) -> None:
    found: dict[str, Any] = json.loads(json.dumps(configuration(runtime, Path("/home"), "hello", "network")))
    assert found["root"]["readonly"] is True
    assert found["process"]["capabilities"] == {}
    assert found["process"]["user"]["uid"] != 0
    assert all("ro" in mount["options"] for mount in found["mounts"] if mount["type"] == "bind")
