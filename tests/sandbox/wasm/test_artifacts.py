"""Verdicts, and when machine code is out of date."""

import pytest

from mayfly.sandbox.wasm import artifacts
from mayfly.sandbox.wasm.artifacts import Verdict


@pytest.mark.parametrize("verdict", [Verdict(kind="command"), Verdict(kind="handle"), Verdict(error="is small")])
def test_a_verdict_survives_being_stored(verdict: Verdict) -> None:
    assert Verdict.decoded(verdict.encoded()) == verdict


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"kind": "library"}', b"\xff"])
def test_what_is_no_verdict_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Verdict.decoded(text)


def test_machine_code_of_another_engine_lies_elsewhere() -> None:
    places = {artifacts.place(name, artifacts.fingerprint(v)) for name in ("a.wasm", "b.wasm") for v in ("50", "51")}
    assert len(places) == 4
    assert all(place.startswith(".mayfly-wasm/") and "wasm" not in place[13:] for place in places)
