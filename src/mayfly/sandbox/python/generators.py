"""Random numbers: what makes them is noted while a template is prepared, and seeded again in every instance.

Generators live in memory, so instances that are forked from one would draw the same numbers. Python's own generator and
NumPy's are seeded again in any case; further ones, which packages or init made, if they were seeded from the system.
One with a seed of its own keeps it, because it would give the same numbers in every instance on any platform. A seed
that looks as if the system or the clock had given it stands in the way of a template: from it, every instance on
another platform would have had its own. So do, for packages, numbers that were drawn while they were imported.
"""

from __future__ import annotations

import gc
import os
import random
import secrets
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any

_MOST_NAMED = 5
_LARGE = 1 << 32  # nobody writes a larger seed; what the system gives is mostly larger
_LONG_BYTES, _LONG_TEXT = 8, 16
_DAY_S = 86_400
_NUMPY_BITS = 128  # what a generator of NumPy is seeded with
# Modules whose random numbers at import only tell things in one process apart.
_HARMLESS = frozenset(("opentelemetry.context",))
_MAKERS = frozenset(("random", "secrets", "uuid", "os", "tempfile", __name__))
# torch starts with a seed that is always the same; one that the system gave is larger than any that people write.
_TORCH_SEED = 67280421310721


class Generators:
    """Watches from `__enter__` to `__exit__`; `__exit__` looks for what is there, `reseed` is for instances."""

    def __init__(self) -> None:
        self._seeded: dict[int, weakref.ref[random.Random]] = {}  # from the system
        self._given: dict[int, tuple[weakref.ref[random.Random], Any]] = {}  # with a seed of their own
        self._entropies: set[int] = set()  # that generators of NumPy were seeded with
        self._drawers: set[str] = set()
        self._bits: list[
            Any
        ] = []  # NumPy's bit generators, and its legacy generators, that were seeded from the system
        self._legacy: list[Any] = []
        self._doubts: list[str] = []
        self._undo: list[Callable[[], None]] = []
        self._state = 0

    def __enter__(self) -> Generators:
        self._state = hash(random.getstate())
        self._watch_seeds()
        self._watch_draws()
        return self

    def __exit__(self, *_: object) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        bits = sys.modules.get("numpy.random.bit_generator")
        if bits is not None:
            vars(bits)["randbits"] = secrets.randbits
            self._find_numpy(bits)

    # While packages are imported, or init runs.

    def _put(self, owner: Any, name: str, value: Any) -> Any:
        """Replace an attribute until `__exit__`; returns what it was."""
        original = getattr(owner, name)
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, original))
        return original

    def _watch_seeds(self) -> None:
        def seed(generator: random.Random, a: Any = None, version: int = 2) -> None:
            original(generator, a, version)
            reference = weakref.ref(generator)
            self._seeded.pop(id(generator), None)
            self._given.pop(id(generator), None)
            if a is None:
                self._seeded[id(generator)] = reference
            else:
                self._given[id(generator)] = reference, a

        original = self._put(random.Random, "seed", seed)

    def _watch_draws(self) -> None:
        def randbits(k: int) -> int:
            if k != _NUMPY_BITS:
                return int(original(k))
            drawers = set(self._drawers)
            value = int(original(k))
            self._drawers = drawers  # a seed, most likely
            self._entropies.add(value)
            return value

        original = self._put(secrets, "randbits", randbits)
        bits = sys.modules.get("numpy.random.bit_generator")
        if bits is not None:
            self._put(bits, "randbits", randbits)
        tls = sys.modules.get("ssl")
        for owner, name in ((os, "urandom"), (os, "getrandom"), (random, "_urandom"), (tls, "RAND_bytes")):
            if hasattr(owner, name):
                self._put(owner, name, self._noting(getattr(owner, name)))

    def _noting(self, draw: Callable[..., bytes]) -> Callable[..., bytes]:
        def drawn(*arguments: Any, **options: Any) -> bytes:
            frame = sys._getframe(1)  # noqa: SLF001 (the one way to learn who calls)
            while frame.f_back is not None and frame.f_globals.get("__name__") in _MAKERS:
                frame = frame.f_back
            self._drawers.add(str(frame.f_globals.get("__name__")))
            return draw(*arguments, **options)

        return drawn

    # In the template, at the end.

    def drawn(self) -> list[str]:
        """Why packages cannot be shared: numbers that were drawn are the same in all instances."""
        reasons = []
        names = sorted(self._drawers - _HARMLESS)[:_MOST_NAMED]
        if names:
            reasons.append(f"imports draw random numbers, which each instance must have for itself: {', '.join(names)}")
        if hash(random.getstate()) != self._state:
            reasons.append("imports draw from Python's random generator, or seed it")
        return reasons

    def doubts(self) -> list[str]:
        """Why what there is cannot be shared: seeds of which it cannot be told whether each instance has its own."""
        reasons = list(dict.fromkeys(self._doubts))
        given = [seed for reference, seed in self._given.values() if reference() is not None]
        if any(looks_drawn(seed, time.time()) for seed in given):
            reasons.append("a random.Random has a seed that seems to be from the system or the clock")
        return reasons

    def _find_numpy(self, module: Any) -> None:
        """Look for NumPy's generators among all objects; by `type`, because `isinstance` runs code of proxies."""
        found = gc.get_objects()
        legacy = getattr(sys.modules.get("numpy.random.mtrand"), "RandomState", None)
        owned = set()
        for one in found:
            kind = type(one)
            if issubclass(kind, module.BitGenerator):
                sequence = _sequence_of(one)
                owned.add(id(sequence))
                if self._is_from_system(sequence):
                    self._bits.append(one)
                elif sequence is not None and looks_drawn(getattr(sequence, "entropy", None), time.time()):
                    self._doubts.append("a generator of NumPy has a seed that seems to be from the system or the clock")
            elif legacy is not None and issubclass(kind, legacy):
                self._legacy.append(one)
        self._legacy = [one for one in self._legacy if any(one._bit_generator is bits for bits in self._bits)]  # noqa: SLF001
        for one in found:
            if issubclass(type(one), module.SeedSequence) and id(one) not in owned and self._is_from_system(one):
                self._doubts.append("a SeedSequence of NumPy was seeded from the system")
                break

    def _is_from_system(self, sequence: Any) -> bool:
        entropy = getattr(sequence, "entropy", None)
        return isinstance(entropy, int) and entropy in self._entropies

    # In an instance.

    def reseed(self) -> None:
        """Seed Python's own generator, NumPy's, and all that were noted."""
        random.seed()
        for reference in self._seeded.values():
            generator = reference()
            if generator is not None:
                generator.seed()
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is not None:
            numpy_random.seed()
        for bits in self._bits:
            _reseed_bits(bits)
        for legacy in self._legacy:
            state = legacy.get_state(legacy=False)
            legacy.set_state({**state, "has_gauss": 0, "gauss": 0.0})
        torch = sys.modules.get("torch")
        if torch is not None and _LARGE <= torch.initial_seed() != _TORCH_SEED:
            torch.seed()


def _sequence_of(bits: Any) -> Any:
    return getattr(bits, "seed_seq", None) or getattr(bits, "_seed_seq", None)


def _reseed_bits(bits: Any) -> None:
    fresh = type(bits)()
    try:
        bits.__setstate__((fresh.state, fresh.seed_seq))  # with what it spawns others from
    except (AttributeError, TypeError):  # before NumPy 1.25, in which nothing is spawned from it
        bits.state = fresh.state


def looks_drawn(seed: Any, now: float) -> bool:
    """Whether the system or the clock may have given a seed: nobody writes such a one into a program. Pure."""
    if seed is None or isinstance(seed, bool):
        return False
    if isinstance(seed, int):
        return abs(seed) >= _LARGE or abs(seed - now) < _DAY_S
    if isinstance(seed, (bytes, bytearray)):
        return len(seed) >= _LONG_BYTES
    if isinstance(seed, str):
        return len(seed) >= _LONG_TEXT
    if isinstance(seed, (list, tuple)):
        return len(seed) > 3 or any(looks_drawn(one, now) for one in seed)
    return True
