"""Which generators instances get anew, which keep their seed, and which stand in the way of a template."""

import gc
import os
import random
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy.random
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox.python import logs
from mayfly.sandbox.python.ahead import Ready
from mayfly.sandbox.python.generators import Generators, looks_drawn

NOW = 1_800_000_000.0
DAY = 86_400

KEPT: dict[str, Callable[[], Any]] = {
    "a small seed": lambda: random.Random(7),
    "a word": lambda: random.Random("words"),
    "a small seed of NumPy": lambda: numpy.random.default_rng(7),
    "a few numbers": lambda: numpy.random.default_rng([1, 2, 3]),
    "a legacy seed": lambda: numpy.random.RandomState(7),
    "a seed that came later": lambda: _seeded(random.Random(), 7),
}
RENEWED: dict[str, Callable[[], Any]] = {
    "Python's": random.Random,
    "seeded anew": lambda: _seeded(random.Random(7), None),
    "NumPy's": numpy.random.default_rng,
    "of another kind": lambda: numpy.random.Generator(numpy.random.SFC64()),
    "spawned": lambda: numpy.random.default_rng().spawn(1)[0],
    "legacy": numpy.random.RandomState,
}
DOUBTED: dict[str, Callable[[], Any]] = {
    "the time": lambda: random.Random(time.time()),
    "seconds": lambda: random.Random(int(time.time())),
    "nanoseconds": lambda: numpy.random.default_rng(time.time_ns()),
    "bytes": lambda: random.Random(secrets.token_bytes(8)),
    "hexadecimal digits": lambda: random.Random(secrets.token_hex(8)),
    "bits": lambda: numpy.random.default_rng(secrets.randbits(64) | 1 << 63),
    "words": lambda: numpy.random.default_rng([1, 2, 3, 4]),
    "a sequence that spawns": numpy.random.SeedSequence,
}


@pytest.fixture(autouse=True)
def _nothing_from_before() -> Iterator[None]:
    """A template watches from its beginning; here, what was made before is put out of sight."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _seeded(generator: random.Random, seed: Any) -> random.Random:
    generator.seed(seed)
    return generator


def watched(make: Callable[[], Any]) -> tuple[Generators, Any]:
    with Generators() as generators:
        made = make()
    return generators, made


@pytest.mark.parametrize("name", KEPT)
def test_a_seed_of_its_own_is_kept(name: str) -> None:
    generators, made = watched(KEPT[name])
    assert generators.doubts() == []
    generators.reseed()
    assert made.random() == KEPT[name]().random()


@pytest.mark.parametrize("name", RENEWED)
def test_what_the_system_seeded_is_seeded_again(name: str) -> None:
    generators, made = watched(RENEWED[name])
    assert generators.doubts() == []
    draws = set()
    state = made.getstate() if isinstance(made, random.Random) else made.__getstate__()
    for _ in range(3):  # as many instances, all forked from one state
        made.setstate(state) if isinstance(made, random.Random) else made.__setstate__(state)
        generators.reseed()
        draws.add(made.random())
    assert len(draws) == 3


@pytest.mark.parametrize("name", DOUBTED)
def test_a_seed_that_seems_drawn_is_a_doubt_as_long_as_its_generator_lives(name: str) -> None:
    generators, made = watched(DOUBTED[name])
    assert len(generators.doubts()) == 1
    del generators, made
    generators, _ = watched(lambda: (DOUBTED[name](), None)[1])
    assert generators.doubts() == []


def test_watching_leaves_nothing_behind() -> None:
    before = (random.Random.seed, secrets.randbits, random._urandom)  # type: ignore[attr-defined]
    watched(RENEWED["NumPy's"])
    assert before == (random.Random.seed, secrets.randbits, random._urandom)  # type: ignore[attr-defined]
    assert vars(numpy.random.bit_generator)["randbits"] is secrets.randbits


@given(st.integers(0, (1 << 32) - 1))
def test_seeds_that_people_write_are_kept_unless_they_are_the_time(seed: int) -> None:
    assert looks_drawn(seed, NOW) == (abs(seed - NOW) < DAY)


@given(st.one_of(st.integers(1 << 32), st.floats(allow_nan=False), st.binary(min_size=8), st.text(min_size=16)))
def test_seeds_that_nobody_writes_are_doubted(seed: Any) -> None:
    assert looks_drawn(seed, NOW)


class Counted(Generators):
    """Counts how often it seeds."""

    reseeded = 0

    def reseed(self) -> None:
        self.reseeded += 1


def test_a_spare_draws_its_seeds_while_it_waits_and_not_again_when_its_call_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {})  # restored for the tests that follow
    for waits, before, after in ((True, 1, 1), (False, 0, 1)):
        counted = Counted()
        ready = Ready(logs.Current(), counted)
        if waits:
            ready.freshen()
        assert counted.reseeded == before
        ready.restore({})
        assert counted.reseeded == after


def test_what_a_template_draws_ahead_is_for_one_fork_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})  # restored for the tests that follow
    counted = Counted()
    ready = Ready(logs.Current(), counted)
    ready.freshen()
    ready.freshen()
    assert counted.reseeded == 1
    ready.forked()
    ready.restore({})
    assert counted.reseeded == 2
