"""The collector's settings in a process that serves."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from mayfly.app import garbage


class Node:
    """Something that can be part of a cycle."""

    def __init__(self) -> None:
        self.other: Node | None = None


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_start_up_made_is_left_alone_and_its_garbage_is_gone() -> None:
    node = Node()
    node.other = node
    gone = weakref.ref(node)
    del node
    garbage.settle()
    assert gone() is None
    assert gc.get_freeze_count() > 1000


def test_calls_under_way_set_off_no_collection_and_cycles_in_numbers_do() -> None:
    garbage.settle()
    before = gc.get_stats()[0]["collections"]
    held = [[number] for number in range(garbage.YOUNG // 2)]
    assert gc.get_stats()[0]["collections"] == before
    del held
    for _ in range(garbage.YOUNG * 2):
        node = Node()
        node.other = node
    assert gc.get_stats()[0]["collections"] > before
